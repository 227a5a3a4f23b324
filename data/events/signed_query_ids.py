"""Signed query ids, which hold the time of the answer and are verified without a look-up.

An id is 12 hexadecimal digits of its time (milliseconds since 1970), 20 random ones, and 16 of a keyed BLAKE2b hash
over both. itsdangerous does not fit: its TimestampSigner makes ids of 71 characters instead of 48, takes 4.8 µs to make
and 6.3 µs to check one instead of 2.0 and 1.4, and more than one text passes for the same base64 signature.
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
    """Makes and verifies ids. Safe to share among threads."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def new(self) -> str:
        """An id for a search that is answered now; 48 characters."""
        signed = f"{time.time_ns() // 1_000_000:0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_DIGITS // 2)}"
        return signed + self._signature(signed)

    def answered_at(self, query_id: str) -> int | None:
        """When the search of this id was answered, in milliseconds since 1970; None if this key did not sign it."""
        if len(query_id) != _SIGNED_DIGITS + _SIGNATURE_DIGITS or not _HEXADECIMAL.issuperset(query_id):
            return None
        signed = query_id[:_SIGNED_DIGITS]
        if not hmac.compare_digest(self._signature(signed), query_id[_SIGNED_DIGITS:]):
            return None
        return int(signed[:_TIME_DIGITS], 16)

    def _signature(self, signed: str) -> str:
        return blake2b(signed.encode(), key=self._key, digest_size=_SIGNATURE_DIGITS // 2).hexdigest()


def open_query_ids(database: Database) -> QueryIds:
    """The signer of this installation."""
    return QueryIds(read_signing_key(database))


def read_signing_key(database: Database) -> bytes:
    """The key of this installation, 32 bytes, which was made with the database's schema."""
    with database.reading() as connection:
        chosen = select(signing_keys.c.key).where(signing_keys.c.purpose == _PURPOSE)
        return bytes(connection.execute(chosen).scalar_one())
