"""The click log → the same log with what nobody should learn from set aside, each record with its reason.

Nothing is deleted: records that are set aside stay in the export, marked, and are left out of everything derived.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, distinct, exists, func, or_, select, true, update

from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import actor_of
from magpie.data.events.filter_reasons import (
    BEYOND,
    BOT,
    EVERYTHING,
    FLOOD,
    NOT_SHOWN,
    PROMOTION,
    REPEATED,
    TOO_EARLY,
)
from magpie.data.spam.item_promotion import promoting_actors

IMPRESSION = "impression"
MAX_PER_HOUR = 100  # searches of one source; nobody reads more
_HOUR_MS = 3_600_000
_CLOCK_SKEW_MS = 60_000
_AT_ONCE_MS = 1_000
_FEWEST_AT_ONCE = 5
_MOST_OF_THE_PAGE = 0.8
_KEYS_PER_STATEMENT = 500


def filter_spam(database: Database, since_ms: int = 0) -> dict[str, int]:
    """How many records were newly set aside, by reason, among those of `since_ms` (since 1970) and later.

    Sources that push an item are looked for in the whole log: it takes many to know one.
    """
    return filter_recent_spam(database, since_ms) | filter_promotion(database, 0)


def filter_promotion(database: Database, since_ms: int) -> dict[str, int]:
    """The same of all that sources did which push an item, as far as what happened since then tells."""
    with database.reading() as connection:
        pushing = promoting_actors(connection, since_ms)
    if not pushing:
        return {PROMOTION: 0}
    with database.writing() as connection:
        return {PROMOTION: _mark_sources(connection, PROMOTION, pushing)}


def filter_recent_spam(database: Database, since_ms: int) -> dict[str, int]:
    """The same without what only the whole log can tell: little work where `since_ms` is not long ago."""
    since_ms -= since_ms % _HOUR_MS
    with database.writing() as connection:
        return {
            BOT: _mark_deeds_of_bots(connection, since_ms),
            FLOOD: _mark_floods(connection, since_ms),
            NOT_SHOWN: _mark_events(connection, NOT_SHOWN, _not_shown(), since_ms),
            TOO_EARLY: _mark_events(connection, TOO_EARLY, _too_early(), since_ms),
            BEYOND: _mark_events(connection, BEYOND, _beyond(), since_ms),
            EVERYTHING: _mark_everything(connection, since_ms),
        }


def count_filtered(database: Database) -> dict[str, int]:
    """How many queries and events are set aside, by reason; and how many clicks only repeat one on the same hit."""
    counts: dict[str, int] = {}
    with database.reading() as connection:
        for table in (queries, events):
            chosen = select(table.c.reason, func.count()).where(table.c.set_aside).group_by(table.c.reason)
            for reason, count in connection.execute(chosen):
                counts[reason] = counts.get(reason, 0) + count
        clicks = and_(events.c.action_name == "click", ~events.c.set_aside, events.c.query_id != "")
        hits = select(func.count()).where(clicks).group_by(events.c.query_id, events.c.object_id).subquery()
        total, different = connection.execute(
            select(func.coalesce(func.sum(hits.c[0]), 0), func.count()).select_from(hits)
        ).one()
    return counts | {REPEATED: int(total) - int(different)}


def count_records(database: Database) -> int:
    """How many queries and events the log holds, those set aside included."""
    with database.reading() as connection:
        return sum(int(connection.execute(select(func.count()).select_from(t)).scalar_one()) for t in (queries, events))


def _mark_deeds_of_bots(connection: Connection, since_ms: int) -> int:
    """What was done with searches that were set aside when they came, because a program asked them."""
    asked = select(queries.c.query_id).where(queries.c.reason == BOT, queries.c.timestamp >= since_ms)
    return _mark(connection, events, BOT, events.c.query_id.in_(asked))


def _mark_floods(connection: Connection, since_ms: int) -> int:
    """All searches and events of a source within an hour in which it made more than people do."""
    marked = 0
    for table in (queries, events):
        source, hour = actor_of(table), table.c.timestamp // _HOUR_MS
        # an event is one deed however often it was sent
        deeds = distinct(table.c.query_id + "/" + table.c.object_id) if table is events else table.c.id
        counted = events.c.action_name != IMPRESSION if table is events else true()  # seeing is no deed
        busy = (
            select(source, hour)
            .where(~table.c.set_aside, table.c.timestamp >= since_ms, source != "", counted)
            .group_by(source, hour)
            .having(func.count(deeds) > MAX_PER_HOUR)
        )
        for name, at in connection.execute(busy).all():
            marked += sum(_mark(connection, each, FLOOD, _within(each, name, at)) for each in (queries, events))
    return marked


def _within(table: Table, source: str, hour: int) -> ColumnElement[bool]:
    return and_(
        or_(table.c.client_id == source, and_(table.c.client_id == "", table.c.session_id == source)),
        table.c.timestamp.between(hour * _HOUR_MS, (hour + 1) * _HOUR_MS - 1),
    )


def _not_shown() -> ColumnElement[bool]:
    """A click on an item that its search, whose hits are known, did not show."""
    hits = exists().where(impressions.c.query == queries.c.id)
    hit = exists().where(impressions.c.query == queries.c.id, impressions.c.item_id == events.c.object_id)
    return and_(hits, ~hit)


def _too_early() -> ColumnElement[bool]:
    return events.c.timestamp < queries.c.timestamp - _CLOCK_SKEW_MS


def _beyond() -> ColumnElement[bool]:
    last = select(func.max(impressions.c.position)).where(impressions.c.query == queries.c.id).scalar_subquery()
    return events.c.position > last


def _mark_events(connection: Connection, reason: str, fault: ColumnElement[bool], since_ms: int) -> int:
    wrong = (
        select(events.c.id)
        .join(queries, queries.c.query_id == events.c.query_id)
        .where(events.c.action_name == "click", ~events.c.set_aside, events.c.timestamp >= since_ms, fault)
    )
    return _mark_each(connection, events, reason, "id", connection.execute(wrong).scalars().all())


def _mark_everything(connection: Connection, since_ms: int) -> int:
    """Searches nearly all of whose hits were clicked within one second, with their events."""
    shown = select(func.count()).where(impressions.c.query == queries.c.id).scalar_subquery()
    clicked = func.count(distinct(events.c.object_id))
    chosen = (
        select(queries.c.query_id)
        .join(events, events.c.query_id == queries.c.query_id)
        .where(events.c.action_name == "click", ~queries.c.set_aside, queries.c.timestamp >= since_ms)
        .group_by(queries.c.id, queries.c.query_id)
        .having(
            clicked >= _FEWEST_AT_ONCE,
            func.max(events.c.timestamp) - func.min(events.c.timestamp) < _AT_ONCE_MS,
            clicked >= _MOST_OF_THE_PAGE * shown,
        )
    )
    return _mark_searches(connection, EVERYTHING, connection.execute(chosen).scalars().all())


def _mark_sources(connection: Connection, reason: str, sources: Sequence[str]) -> int:
    """All searches and events of these sources, whenever they were."""
    marked = 0
    for part in _parts(sources):
        marked += sum(_mark(connection, table, reason, actor_of(table).in_(part)) for table in (queries, events))
    return marked


def _mark_searches(connection: Connection, reason: str, query_ids: Sequence[str]) -> int:
    return sum(_mark_each(connection, table, reason, "query_id", query_ids) for table in (queries, events))


def _mark_each(connection: Connection, table: Table, reason: str, column: str, keys: Sequence[Any]) -> int:
    return sum(_mark(connection, table, reason, table.c[column].in_(part)) for part in _parts(keys))


def _mark(connection: Connection, table: Table, reason: str, chosen: ColumnElement[bool]) -> int:
    wanted = update(table).where(chosen, ~table.c.set_aside)
    return connection.execute(wanted.values(set_aside=True, reason=reason)).rowcount


def _parts(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (keys[start : start + _KEYS_PER_STATEMENT] for start in range(0, len(keys), _KEYS_PER_STATEMENT))
