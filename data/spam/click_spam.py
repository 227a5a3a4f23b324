"""Filters click spam: marks records of the event log that nothing may be learned from, each with its reason.

Nothing is deleted: filtered records stay in the log and in its export, and count in nothing that is derived.
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
MAX_PER_HOUR = 100  # searches, or hits acted upon, of one actor; people make fewer
_HOUR_MS = 3_600_000
_CLOCK_SKEW_MS = 60_000
_AT_ONCE_MS = 1_000
_FEWEST_AT_ONCE = 5
_MOST_OF_THE_PAGE = 0.8
_KEYS_PER_STATEMENT = 500


def filter_spam(database: Database, since_ms: int = 0) -> dict[str, int]:
    """Filters the records since `since_ms` (milliseconds since 1970); how many were newly filtered, by reason.

    Actors who promote an item are searched for in the whole log: they show only among many.
    """
    return filter_recent_spam(database, since_ms) | filter_promotion(database, 0)


def filter_promotion(database: Database, since_ms: int) -> dict[str, int]:
    """Filters all records of actors who promoted an item since then; how many, by reason."""
    with database.reading() as connection:
        promoting = promoting_actors(connection, since_ms)
    if not promoting:
        return {PROMOTION: 0}
    with database.writing() as connection:
        return {PROMOTION: _mark_actors(connection, PROMOTION, promoting)}


def filter_recent_spam(database: Database, since_ms: int) -> dict[str, int]:
    """The same as `filter_spam` without promotion; quick where `since_ms` is not long ago."""
    since_ms -= since_ms % _HOUR_MS
    with database.writing() as connection:
        return {
            BOT: _mark_events_on_bot_searches(connection, since_ms),
            FLOOD: _mark_floods(connection, since_ms),
            NOT_SHOWN: _mark_events(connection, NOT_SHOWN, _not_shown(), since_ms),
            TOO_EARLY: _mark_events(connection, TOO_EARLY, _too_early(), since_ms),
            BEYOND: _mark_events(connection, BEYOND, _beyond(), since_ms),
            EVERYTHING: _mark_everything(connection, since_ms),
        }


def count_filtered(database: Database) -> dict[str, int]:
    """The numbers of filtered queries and events by reason, and of clicks that repeat one on the same hit."""
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
    """The numbers of queries and events in the log, including filtered ones."""
    with database.reading() as connection:
        return sum(int(connection.execute(select(func.count()).select_from(t)).scalar_one()) for t in (queries, events))


def _mark_events_on_bot_searches(connection: Connection, since_ms: int) -> int:
    """Filters the events on searches that were filtered on arrival because a program sent them."""
    asked = select(queries.c.query_id).where(queries.c.reason == BOT, queries.c.timestamp >= since_ms)
    return _mark(connection, events, BOT, events.c.query_id.in_(asked))


def _mark_floods(connection: Connection, since_ms: int) -> int:
    """Filters all searches and events of an actor within an hour with more of them than MAX_PER_HOUR."""
    marked = 0
    for table in (queries, events):
        actor, hour = actor_of(table), table.c.timestamp // _HOUR_MS
        # several events on one hit count as one action
        actions = distinct(table.c.query_id + "/" + table.c.object_id) if table is events else table.c.id
        counted = events.c.action_name != IMPRESSION if table is events else true()  # impressions are no action
        busy = (
            select(actor, hour)
            .where(~table.c.set_aside, table.c.timestamp >= since_ms, actor != "", counted)
            .group_by(actor, hour)
            .having(func.count(actions) > MAX_PER_HOUR)
        )
        for name, at in connection.execute(busy).all():
            marked += sum(_mark(connection, each, FLOOD, _within(each, name, at)) for each in (queries, events))
    return marked


def _within(table: Table, actor: str, hour: int) -> ColumnElement[bool]:
    return and_(
        or_(table.c.client_id == actor, and_(table.c.client_id == "", table.c.session_id == actor)),
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
    """Filters searches nearly all of whose hits were clicked within one second, with their events."""
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


def _mark_actors(connection: Connection, reason: str, actors: Sequence[str]) -> int:
    """Filters all searches and events of these actors, whenever they were."""
    marked = 0
    for part in _parts(actors):
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
