"""Replaces client ids and addresses by keyed hashes before they are stored, under a salt that is thrown away later.

A pseudonym is a keyed BLAKE2b hash of the id. The key is a random salt, one for each span of 30 days, and chosen by
when something happened, so that the same record always gets the same pseudonym. Once a salt is deleted, nobody can
tell any more whose pseudonyms those of its span are, nor link them to those of another span.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from magpie.data.clock import now_ms
from magpie.data.database.tables import client_salts
from magpie.data.events.origin import Origin
from magpie.data.events.ubi import EventRecord, QueryRecord

SPAN_DAYS = 30
SPAN_MS = SPAN_DAYS * 86_400_000
SPANS_KEPT = 6
_SALT_BYTES = 32
_PSEUDONYM = re.compile(r"~[0-9a-f]{32}")
R = TypeVar("R", QueryRecord, EventRecord)


def is_pseudonym(client_id: str) -> bool:
    """Whether an id has the form of a pseudonym."""
    return _PSEUDONYM.fullmatch(client_id) is not None


def with_pseudonyms(connection: Connection, records: Sequence[R]) -> list[R]:
    """The records with their client ids and origins replaced; client ids that are pseudonyms already stay.

    Needs a writing connection: the first record of a span makes its salt.
    """
    salts = _salts_for(connection, {record.timestamp_ms // SPAN_MS for record in records if _is_open(record)})
    return [
        _hidden(record, salts[record.timestamp_ms // SPAN_MS]) if _is_open(record) else record for record in records
    ]


def pseudonyms_of(connection: Connection, client_id: str) -> list[str]:
    """The pseudonyms of this client under all kept salts, newest first; a pseudonym stands for itself."""
    if not client_id or is_pseudonym(client_id):
        return [client_id] if client_id else []
    salts = connection.exec_driver_sql("SELECT salt FROM client_salts ORDER BY span DESC").scalars()
    return [_pseudonym(client_id, salt) for salt in salts]


def drop_old_salts(connection: Connection, before_ms: int | None = None) -> int:
    """Deletes the salts of spans that ended more than 180 days ago, or all that ended before a time; how many."""
    oldest = (now_ms() // SPAN_MS - SPANS_KEPT + 1) if before_ms is None else before_ms // SPAN_MS
    return connection.execute(delete(client_salts).where(client_salts.c.span < oldest)).rowcount


def _is_open(record: QueryRecord | EventRecord) -> bool:
    return _has_open_client(record) or bool(record.origin.block)


def _has_open_client(record: QueryRecord | EventRecord) -> bool:
    return bool(record.client_id) and not is_pseudonym(record.client_id)


def _hidden(record: R, salt: bytes) -> R:
    client_id = _pseudonym(record.client_id, salt) if _has_open_client(record) else record.client_id
    return replace(record, client_id=client_id, origin=_hidden_origin(record.origin, salt))


def _hidden_origin(origin: Origin, salt: bytes) -> Origin:
    """Keyed hashes of address and block, 32 hexadecimal digits each; what is vouched for has neither."""
    if not origin.block:
        return origin
    address, block = (
        blake2b(text.encode(), key=salt, person=name, digest_size=16).hexdigest()
        for name, text in ((b"address", origin.address), (b"block", origin.block))
    )
    return Origin(address, block, origin.is_proved)


def _pseudonym(client_id: str, salt: bytes) -> str:
    return "~" + blake2b(client_id.encode(), key=salt, digest_size=16).hexdigest()


def _salts_for(connection: Connection, spans: set[int]) -> dict[int, bytes]:
    known = _read_salts(connection, spans)
    missing = spans - known.keys()
    if not missing:
        return known
    if now_ms() // SPAN_MS in missing:
        drop_old_salts(connection)
    new = [{"span": span, "salt": secrets.token_bytes(_SALT_BYTES)} for span in sorted(missing)]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    passing = connection.dialect.name in ("postgresql", "sqlite")
    connection.execute(dialect.insert(client_salts).on_conflict_do_nothing() if passing else insert(client_salts), new)
    return _read_salts(connection, spans)


def _read_salts(connection: Connection, spans: set[int]) -> dict[int, bytes]:
    chosen = select(client_salts).where(client_salts.c.span.in_(spans))
    return {row.span: row.salt for row in connection.execute(chosen)} if spans else {}
