"""The event log: searches with the hits that were shown, and what people did then. Each record is stored once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Row, Table, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.errors import BadEvent
from magpie.data.events.pseudonyms import with_pseudonyms
from magpie.data.events.rows import event_values, hit_values, query_values, read_event, read_hit, read_query
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit, event_to_ubi, query_to_ubi
from magpie.data.events.ubi_ndjson import numbered_lines, parse_lines
from magpie.data.home.rejects_file import rejects_file

BATCH = 2_000
# marks the spam of the log since a time, in milliseconds since 1970; the number of newly filtered records by reason
SpamFilter = Callable[[Database, int], dict[str, int]]
K = TypeVar("K", str, bytes)
R = TypeVar("R", QueryRecord, EventRecord)


@dataclass(frozen=True)
class LogCounts:
    """The numbers of new records (including `filtered` ones) and of already known ones."""

    accepted: int
    duplicates: int
    filtered: int = 0


class EventLog:
    """Queries with the hits that were shown, and events. Safe to share among threads."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def record_queries(self, records: Sequence[QueryRecord]) -> LogCounts:
        """Keeps searches with their hits; one whose query_id is known is left as it is."""
        with self.database.writing() as connection:
            return _add_queries(connection, records)

    def record_events(self, records: Sequence[EventRecord]) -> LogCounts:
        """Keeps events. When this returns they are on disk, whatever happens to the process or the power."""
        with self.database.writing(durable=True) as connection:
            return _add_events(connection, records)

    def counts(self) -> dict[str, int]:
        """The numbers of stored queries and events, and of filtered ones among both."""
        with self.database.reading() as connection:
            found = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (queries, events)
            }
            aside = sum(
                connection.execute(select(func.count()).where(table.c.set_aside)).scalar_one()
                for table in (queries, events)
            )
        return found | {"set_aside": aside}

    def export(self) -> Iterator[dict[str, Any]]:
        """Every query, then every event, as UBI objects in order of arrival; filtered ones with the reason."""
        for rows in self._pages(queries):
            hits = self._hits_of([row.id for row in rows])
            for row in rows:
                yield query_to_ubi(read_query(row, tuple(hits.get(row.id, ()))))
        for rows in self._pages(events):
            for row in rows:
                yield event_to_ubi(read_event(row))

    def import_lines(
        self,
        path: Path,
        rejects_dir: Path,
        filter_spam: SpamFilter,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> dict[str, Any]:
        """Stores the UBI objects of an NDJSON file; counts of new queries and events, duplicates, filtered, rejected.

        A line that is no query and no event is kept in the `rejects_file` with its number and reason, and never stops
        the rest. Once all is stored, `filter_spam` marks what is spam since the earliest of these records.
        `on_progress` gets bytes done and in total. Raises BadEvent where the file cannot be read.
        """
        counts = {"queries": 0, "events": 0, "duplicates": 0, "set_aside": 0, "rejected": 0}
        earliest = now_ms()
        try:
            with path.open("rb") as stream, rejects_file(rejects_dir, path.stem) as rejects:
                total = path.stat().st_size
                numbered = numbered_lines(stream)
                while lines := list(islice(numbered, BATCH)):
                    found, faults = parse_lines(lines, rejects)
                    counts["rejected"] += faults
                    self._add(found, counts)
                    earliest = min([earliest, *(record.timestamp_ms for record in found)])
                    on_progress(stream.tell(), total)
        except OSError as error:
            raise BadEvent(f"{path}: cannot be read ({error.strerror or error})") from error
        if counts["queries"] or counts["events"]:
            counts["set_aside"] += sum(filter_spam(self.database, earliest).values())
        return counts | {"rejects_file": str(rejects.path) if rejects.path else None}

    def _add(self, found: list[QueryRecord | EventRecord], counts: dict[str, int]) -> None:
        asked = [record for record in found if isinstance(record, QueryRecord)]
        done = [record for record in found if isinstance(record, EventRecord)]
        with self.database.writing(durable=True) as connection:
            new_queries, new_events = _add_queries(connection, asked), _add_events(connection, done)
        counts["set_aside"] += new_queries.filtered + new_events.filtered
        counts["queries"] += new_queries.accepted
        counts["events"] += new_events.accepted
        counts["duplicates"] += new_queries.duplicates + new_events.duplicates

    def _pages(self, table: Table) -> Iterator[Sequence[Row[Any]]]:
        last = 0
        while True:
            with self.database.reading() as connection:
                page = select(table).where(table.c.id > last).order_by(table.c.id).limit(BATCH)
                rows = connection.execute(page).all()
            if not rows:
                return
            yield rows
            last = rows[-1].id

    def _hits_of(self, ids: list[int]) -> dict[int, list[ShownHit]]:
        hits: dict[int, list[ShownHit]] = {}
        with self.database.reading() as connection:
            chosen = select(impressions).where(impressions.c.query.in_(ids))
            for row in connection.execute(chosen.order_by(impressions.c.query, impressions.c.position)):
                hits.setdefault(row.query, []).append(read_hit(row))
        return hits


def _add_queries(connection: Connection, named: Sequence[QueryRecord]) -> LogCounts:
    records = with_pseudonyms(connection, named)
    fresh = _unknown(connection, queries, "query_id", {record.query_id: record for record in reversed(records)})
    if fresh:
        _insert_rows(connection, queries, [query_values(record) for record in fresh.values()])
        wanted = select(queries.c.query_id, queries.c.id).where(queries.c.query_id.in_(list(fresh)))
        ids = {row.query_id: row.id for row in connection.execute(wanted)}
        shown = [hit_values(hit, ids[record.query_id]) for record in fresh.values() for hit in record.hits]
        if shown:
            _insert_rows(connection, impressions, shown)
    return _log_counts(records, fresh.values())


def _add_events(connection: Connection, named: Sequence[EventRecord]) -> LogCounts:
    records = with_pseudonyms(connection, named)
    fresh = _unknown(connection, events, "dedup_key", {record.dedup_key(): record for record in reversed(records)})
    if fresh:
        values = [event_values(record, key) for key, record in fresh.items()]
        _insert_rows(connection, events, values)
    return _log_counts(records, fresh.values())


def _unknown(connection: Connection, table: Table, column: str, last_first: dict[K, R]) -> dict[K, R]:
    """The records whose key is not in the table, in the given order."""
    known: set[K] = set()
    keys = list(last_first)
    for start in range(0, len(keys), BATCH):
        chosen = select(table.c[column]).where(table.c[column].in_(keys[start : start + BATCH]))
        known |= set(connection.execute(chosen).scalars())
    return {key: last_first[key] for key in reversed(keys) if key not in known}


def _insert_rows(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Inserts rows that have the same columns; into SQLite as tuples, which SQLAlchemy prepares at twice the cost."""
    statement = _insert(connection, table)
    if connection.dialect.name != "sqlite":
        connection.execute(statement, rows)
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    in_order = itemgetter(*compiled.positiontup or ())
    connection.exec_driver_sql(compiled.string, [in_order(row) for row in rows])


def _insert(connection: Connection, table: Table) -> Insert:
    """An insert that passes over a row which another writer has added since we looked."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing() if connection.dialect.name == "sqlite" else insert(table)


def _log_counts(records: Sequence[Any], fresh: Iterable[Any]) -> LogCounts:
    new = list(fresh)
    return LogCounts(len(new), len(records) - len(new), sum(bool(record.filter_reason) for record in new))
