"""Counts impressions and clicks by day, ranker, query, item and position; no person is in these counts.

A row also holds the position of the last click above (`after`), so that exposures can be computed for any click model.
A day is counted again when its part of the event log changed.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import Connection, Integer, and_, cast, delete, distinct, func, insert, or_, select

from magpie.data.database.connection import Database
from magpie.data.database.tables import click_cells, click_days, events, impressions, queries
from magpie.data.events.actor import actor_of, person_of
from magpie.data.events.query_normalisation import query_key

DAY_MS = 86_400_000
SEARCHES_PER_ACTOR = 3  # of one query on one day; further ones are not counted
SEARCHES_OF_BLOCK = 10  # the same of one block of addresses, without a token's word
CLICK = "click"
CONVERSIONS = ("add_to_cart", "purchase")
_BATCH = 20_000


@dataclass(frozen=True)
class ClickAggregates:
    """Counts in columns of equal length (n,).

    `query`, `item`, `ranker` and `layout` are places in `queries`, `items`, `rankers` and `layouts`; `day` counts
    from 1970, `position` and `after` (the last click above, 0 for none) are 1-based as shown.
    """

    queries: list[str]
    items: list[str]
    rankers: list[str]
    layouts: list[str]
    day: np.ndarray
    ranker: np.ndarray
    layout: np.ndarray
    query: np.ndarray
    item: np.ndarray
    position: np.ndarray
    after: np.ndarray
    impressions: np.ndarray
    clicks: np.ndarray
    conversions: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    @cached_property
    def num_clicks(self) -> int:
        return int(self.clicks.sum())

    def with_conversions(self, weight: float) -> "ClickAggregates":
        """The same with `weight` clicks added for each conversion: the target of learning (clicks are float)."""
        return replace(self, clicks=self.clicks + weight * self.conversions)

    def with_rows_of(self, other: "ClickAggregates") -> "ClickAggregates":
        """These rows, followed by those of `other`, whose queries, items, rankers and layouts must be known here."""
        columns = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _NUMBERS}
        for name, names in (("query", "queries"), ("item", "items"), ("ranker", "rankers"), ("layout", "layouts")):
            place = {one: at for at, one in enumerate(getattr(self, names))}
            known = np.array([place[one] for one in getattr(other, names)], np.int64)
            columns[name] = np.concatenate([getattr(self, name), known[getattr(other, name)]])
        return ClickAggregates(self.queries, self.items, self.rankers, self.layouts, **columns)

    def where(self, chosen: np.ndarray) -> "ClickAggregates":
        """The rows that `chosen` (mask or indices) selects; the name lists stay as they are."""
        columns = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        return ClickAggregates(self.queries, self.items, self.rankers, self.layouts, **columns)


_NAMED = {"ranker": "ranker", "layout": "layout", "query_key": "query", "item_id": "item"}
_NUMBERS = ("day", "position", "after", "impressions", "clicks", "conversions")
_COLUMNS = (*_NUMBERS, *_NAMED.values())


@dataclass(frozen=True)
class DayCounts:
    """Days and searches counted, and searches left out because their actor repeated the query too often."""

    days: int
    searches: int
    capped: int


def refresh_click_aggregates(database: Database) -> DayCounts:
    """Counts every day whose log changed since it was last counted, and drops days that the log no longer has."""
    with database.reading() as connection:
        wanted = _signatures(connection)
        known = {row.day: row.signature for row in connection.execute(select(click_days))}
    for day in sorted(set(known) | set(wanted)):
        if known.get(day) != wanted.get(day):
            with database.writing() as connection:
                _count_day(connection, day, wanted.get(day))
    with database.reading() as connection:
        sums = select(func.count(), func.sum(click_days.c.searches), func.sum(click_days.c.capped))
        found = connection.execute(sums).all()[0]
        return DayCounts(*(int(value or 0) for value in found))


def count_people(database: Database) -> int:
    """How many people searched, by client, else by session; a search of neither counts as one."""
    actor = actor_of(queries)
    with database.reading() as connection:
        known = select(func.count(distinct(actor))).where(~queries.c.set_aside, actor != "")
        unknown = select(func.count()).select_from(queries).where(~queries.c.set_aside, actor == "")
        return sum(int(connection.execute(each).scalar_one()) for each in (known, unknown))


def drop_changed_days(connection: Connection) -> None:
    """Deletes the counts of every day whose log changed, so that erased events are in no sum."""
    wanted = _signatures(connection)
    known = connection.execute(select(click_days)).all()
    for day in (row.day for row in known if wanted.get(row.day) != row.signature):
        connection.execute(delete(click_cells).where(click_cells.c.day == day))
        connection.execute(delete(click_days).where(click_days.c.day == day))


def read_click_aggregates(database: Database) -> ClickAggregates:
    """All stored counts."""
    columns: dict[str, list[Any]] = {column.name: [] for column in click_cells.columns}
    with database.reading() as connection:
        found = connection.execution_options(yield_per=_BATCH).execute(select(click_cells))
        for part in found.partitions():
            for name, values in zip(columns, zip(*part, strict=True), strict=True):
                columns[name] += values
    return _as_aggregates(columns)


def count_click_aggregates(database: Database, is_counted: Callable[[str], bool]) -> ClickAggregates:
    """The counts of searches by those actors only for whom `is_counted` is true, from the log; not stored."""
    columns: dict[str, list[Any]] = {column.name: [] for column in click_cells.columns}
    with database.reading() as connection:
        for day in sorted(_signatures(connection)):
            searches, _ = _counted_searches(connection, day, is_counted)
            for key, counts in _count(_hits(connection, day), searches, _actions(connection, day)).items():
                for name, value in zip(columns, (day, *key, *counts), strict=True):
                    columns[name].append(value)
    return _as_aggregates(columns)


def _as_aggregates(columns: Mapping[str, list[Any]]) -> ClickAggregates:
    names: dict[str, list[str]] = {}
    arrays = {name: np.array(columns[name], np.int64) for name in _NUMBERS}
    for column, name in _NAMED.items():
        names[name], arrays[name] = _coded(columns[column])
    return ClickAggregates(names["query"], names["item"], names["ranker"], names["layout"], **arrays)


def _coded(values: list[str]) -> tuple[list[str], np.ndarray]:
    """The distinct values in order of appearance, and (n,) the index of each value among them."""
    places: dict[str, int] = {}
    codes = np.fromiter((places.setdefault(value, len(places)) for value in values), np.int64, len(values))
    return list(places), codes


def _signatures(connection: Connection) -> dict[int, str]:
    """By day, a text that changes with the day's records: number, highest id and number of filtered ones."""
    parts: dict[int, list[str]] = defaultdict(list)
    day = (queries.c.timestamp // DAY_MS).label("day")  # an event counts on the day of its search
    joined = queries.join(events, events.c.query_id == queries.c.query_id)
    for table, source in ((queries, queries), (events, joined)):
        aside = func.sum(cast(table.c.set_aside, Integer))
        chosen = select(day, func.count(), func.max(table.c.id), aside).select_from(source).group_by(day)
        for row in connection.execute(chosen):
            parts[row.day].append(f"{table.name} {row[1]} {row[2]} {row[3]}")
    return {name: "; ".join(found) for name, found in parts.items()}


def _count_day(connection: Connection, day: int, signature: str | None) -> None:
    connection.execute(delete(click_cells).where(click_cells.c.day == day))
    connection.execute(delete(click_days).where(click_days.c.day == day))
    if signature is None:
        return
    searches, capped = _counted_searches(connection, day)
    counted = _count(_hits(connection, day), searches, _actions(connection, day))
    names = [column.name for column in click_cells.columns]
    rows = [dict(zip(names, (day, *key, *counts), strict=True)) for key, counts in counted.items()]
    for start in range(0, len(rows), _BATCH):
        connection.execute(insert(click_cells), rows[start : start + _BATCH])
    connection.execute(insert(click_days).values(day=day, signature=signature, searches=len(searches), capped=capped))


def _counted_searches(
    connection: Connection, day: int, is_counted: Callable[[str], bool] = lambda actor: True
) -> tuple[dict[int, tuple[str, str, str]], int]:
    """(ranker, layout, query key) by `queries.id` of each search that counts, and how many were beyond the caps.

    Searches of actors for whom `is_counted` is false are left out.
    """
    found: dict[int, tuple[str, str, str]] = {}
    of_source: dict[tuple[str, str, str], int] = defaultdict(int)
    capped = 0
    actor, person = actor_of(queries).label("actor"), person_of(queries).label("person")
    origin = queries.c.address, queries.c.block
    columns = (queries.c.id, queries.c.user_query, actor, person, *origin, queries.c.query_attributes)
    chosen = select(*columns).where(_of(day), ~queries.c.set_aside, queries.c.user_query != "").order_by(queries.c.id)
    for row in connection.execute(chosen):
        attributes, key = json.loads(row.query_attributes), query_key(row.user_query)
        if not key or not _is_plain(attributes) or not is_counted(row.actor):
            continue
        sources = (
            ("person", row.person, SEARCHES_PER_ACTOR),
            ("address", row.address, SEARCHES_PER_ACTOR),
            ("block", row.block, SEARCHES_OF_BLOCK),
        )
        bounded = [(kind, name, most) for kind, name, most in sources if name]
        if any(of_source[kind, name, key] >= most for kind, name, most in bounded):
            capped += 1
            continue
        for kind, name, _ in bounded:
            of_source[kind, name, key] += 1
        found[row.id] = (str(attributes.get("ranker", "")), str(attributes.get("layout", "")), key)
    return found, capped


def _is_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether a search was by words alone and ordered by relevance; only its clicks tell how well items match words."""
    other = any(attributes.get(name) for name in ("like", "not", "picture", "typing"))
    return not other and attributes.get("sort", "relevance") == "relevance"


def _hits(connection: Connection, day: int) -> Iterable[Sequence[Any]]:
    chosen = (
        select(impressions.c.query, impressions.c.position, impressions.c.item_id)
        .join(queries, queries.c.id == impressions.c.query)
        .where(_of(day), ~queries.c.set_aside)
        .order_by(impressions.c.query, impressions.c.position)
    )
    return connection.execute(chosen)


def _actions(connection: Connection, day: int) -> dict[tuple[int, str], int]:
    """By (`queries.id`, item id): 1 for a click, 2 for a conversion (add_to_cart, purchase)."""
    is_conversion = events.c.action_name.in_(CONVERSIONS)
    chosen = (
        select(queries.c.id, events.c.object_id, is_conversion.label("converted"))
        .join(queries, queries.c.query_id == events.c.query_id)
        .where(_of(day), ~events.c.set_aside, or_(events.c.action_name == CLICK, is_conversion))
    )
    actions: dict[tuple[int, str], int] = {}
    for row in connection.execute(chosen):
        pair = (row.id, row.object_id)
        actions[pair] = max(actions.get(pair, 0), 2 if row.converted else 1)
    return actions


def _of(day: int) -> Any:
    return and_(queries.c.timestamp >= day * DAY_MS, queries.c.timestamp < (day + 1) * DAY_MS)


def _count(
    hits: Iterable[Sequence[Any]], searches: Mapping[int, tuple[str, str, str]], actions: Mapping[tuple[int, str], int]
) -> dict[tuple[str, str, str, str, int, int], list[int]]:
    """[impressions, clicks, conversions] by (ranker, layout, query, item, position, after); hits in shown order."""
    counted: dict[tuple[str, str, str, str, int, int], list[int]] = {}
    search, after = -1, 0
    for number, position, item_id in hits:
        if number not in searches:
            continue
        if number != search:
            search, after = number, 0
        action = actions.get((number, item_id), 0)
        row = counted.setdefault((*searches[number], item_id, position, after), [0, 0, 0])
        row[0] += 1
        if action:
            row[1] += 1
            row[2] += action == 2
            after = position
    return counted
