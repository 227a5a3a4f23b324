"""Deletions from the click log that leave nothing behind: neither the sums made of it nor bytes in SQLite's files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from magpie.data.aggregates.click_cells import drop_changed_days
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.database.tables import counters

_FORGOTTEN_AT = "forgotten_at"


@dataclass(frozen=True)
class Forgotten:
    """How many records were deleted."""

    queries: int
    events: int


@contextmanager
def erasing(database: Database) -> Iterator[Connection]:
    """A writing connection; what is deleted on it is overwritten, and the counts of its days go with it."""
    with database.writing(durable=True) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        yield connection
        drop_changed_days(connection)
    if is_sqlite:
        with closing(database.engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def note_forgotten(connection: Connection, searches: int, gone: int) -> Forgotten:
    """The counts; where anything went, its time is noted, so that what was derived before is known to be stale."""
    if searches or gone:
        chosen = counters.c.name == _FORGOTTEN_AT
        if not connection.execute(update(counters).where(chosen).values(value=now_ms())).rowcount:
            connection.execute(insert(counters).values(name=_FORGOTTEN_AT, value=now_ms()))
    return Forgotten(searches, gone)


def forgotten_at(database: Database) -> int:
    """When something was last purged or forgotten, in milliseconds since 1970; 0 for never.

    Whatever was derived from the log before is stale.
    """
    with database.reading() as connection:
        found = connection.execute(select(counters.c.value).where(counters.c.name == _FORGOTTEN_AT)).scalar()
    return int(found or 0)
