"""Deletes from the event log for good: with the aggregates of the days concerned, and overwritten in SQLite's files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select, update

from magpie.data.aggregates.click_aggregates import drop_changed_days
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.database.tables import counters, events, queries
from magpie.data.events.pseudonyms import drop_old_salts, pseudonyms_of

_FORGOTTEN_AT = "forgotten_at"


@dataclass(frozen=True)
class Forgotten:
    """How many records were deleted."""

    queries: int
    events: int


def purge(database: Database, older_than: datetime) -> Forgotten:
    """Deletes what happened before this time, with the salts of pseudonyms that no record has any more."""
    limit = int(older_than.timestamp() * 1000)
    with erasing(database) as connection:
        gone = connection.execute(delete(events).where(events.c.timestamp < limit)).rowcount
        searches = connection.execute(delete(queries).where(queries.c.timestamp < limit)).rowcount
        drop_old_salts(connection, limit)
        return note_forgotten(connection, searches, gone)


def forget_client(database: Database, client_id: str) -> Forgotten:
    """Deletes what this client did, and what anyone did with this client's searches.

    The client is found under every salt that is still kept, and so is a pseudonym out of an export.
    """
    with erasing(database) as connection:
        names = pseudonyms_of(connection, client_id)
        theirs = select(queries.c.query_id).where(queries.c.client_id.in_(names))
        chosen = or_(events.c.client_id.in_(names), events.c.query_id.in_(theirs))
        gone = connection.execute(delete(events).where(chosen)).rowcount
        searches = connection.execute(delete(queries).where(queries.c.client_id.in_(names))).rowcount
        return note_forgotten(connection, searches, gone)


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
    """The counts; if any record was deleted, its time is stored: what was derived before is stale."""
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
