"""Ids of searches that say when they were answered and that nobody else can make: known again without looking them up.

An id is 12 hexadecimal digits of its time (milliseconds since 1970), 20 random ones, and 16 of a keyed BLAKE2b hash
over both.
"""

import hmac
import secrets
import time
from hashlib import blake2b

from sqlalchemy import select

from magpie.data.database.connection import Database
from magpie.data.database.tables import signing_keys

_PURPOSE = "query ids"
_TIME_DIGITS, _RANDOM_DIGITS, _SIGNATURE_DIGITS = 12, 20, 16
_SIGNED_DIGITS = _TIME_DIGITS + _RANDOM_DIGITS
_HEXADECIMAL = frozenset("0123456789abcdef")


class QueryIds:
    """Makes ids and knows its own again. Safe to share among threads."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def new(self) -> str:
        """An id for a search that is answered now; 48 characters."""
        told = f"{time.time_ns() // 1_000_000:0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_DIGITS // 2)}"
        return told + self._signature(told)

    def answered_at(self, query_id: str) -> int | None:
        """When the search of this id was answered, in milliseconds since 1970; None for an id that is not from here."""
        if len(query_id) != _SIGNED_DIGITS + _SIGNATURE_DIGITS or not _HEXADECIMAL.issuperset(query_id):
            return None
        told = query_id[:_SIGNED_DIGITS]
        if not hmac.compare_digest(self._signature(told), query_id[_SIGNED_DIGITS:]):
            return None
        return int(told[:_TIME_DIGITS], 16)

    def _signature(self, told: str) -> str:
        return blake2b(told.encode(), key=self._key, digest_size=_SIGNATURE_DIGITS // 2).hexdigest()


def open_query_ids(database: Database) -> QueryIds:
    """The ids of this installation, whose key came with the database's schema."""
    with database.reading() as connection:
        chosen = select(signing_keys.c.key).where(signing_keys.c.purpose == _PURPOSE)
        return QueryIds(connection.execute(chosen).scalar_one())
