"""The click log → daily counts by (ranker, query, item, position): all that learning needs, without any person in it.

A cell also says after which click an item was seen (`after`), so that exposures can be worked out anew for any
model of how people look through a list. A day is counted again when its part of the log changed.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import Connection, Integer, and_, cast, delete, func, insert, or_, select

from magpie.data.database.connection import Database
from magpie.data.database.tables import click_cells, click_days, events, impressions, queries
from magpie.data.events.actor import actor_of
from magpie.data.events.query_normalisation import query_key

DAY_MS = 86_400_000
SEARCHES_PER_SOURCE = 3  # of one query on one day; more of them weigh nothing
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
        """The same where every conversion counts as so many clicks more: what learning aims at (float clicks)."""
        return replace(self, clicks=self.clicks + weight * self.conversions)

    def with_rows_of(self, other: "ClickAggregates") -> "ClickAggregates":
        """These rows and after them the other's, whose names are all among these."""
        columns = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _NUMBERS}
        for name, names in (("query", "queries"), ("item", "items"), ("ranker", "rankers"), ("layout", "layouts")):
            place = {one: at for at, one in enumerate(getattr(self, names))}
            known = np.array([place[one] for one in getattr(other, names)], np.int64)
            columns[name] = np.concatenate([getattr(self, name), known[getattr(other, name)]])
        return ClickAggregates(self.queries, self.items, self.rankers, self.layouts, **columns)

    def where(self, chosen: np.ndarray) -> "ClickAggregates":
        """Only the chosen rows; the names keep their places."""
        columns = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        return ClickAggregates(self.queries, self.items, self.rankers, self.layouts, **columns)


_NAMED = {"ranker": "ranker", "layout": "layout", "query_key": "query", "item_id": "item"}
_NUMBERS = ("day", "position", "after", "impressions", "clicks", "conversions")
_COLUMNS = (*_NUMBERS, *_NAMED.values())


@dataclass(frozen=True)
class DayCounts:
    """What was counted: searches by people, and those of them beyond what one source may weigh."""

    days: int
    searches: int
    capped: int


def refresh_click_aggregates(database: Database) -> DayCounts:
    """Counts anew every day whose log changed since it was last counted, and forgets days that are gone from it."""
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


def drop_changed_days(connection: Connection) -> None:
    """Deletes the counts of every day whose log changed: what was forgotten must not live on in sums."""
    wanted = _signatures(connection)
    known = connection.execute(select(click_days)).all()
    for day in (row.day for row in known if wanted.get(row.day) != row.signature):
        connection.execute(delete(click_cells).where(click_cells.c.day == day))
        connection.execute(delete(click_days).where(click_days.c.day == day))


def read_click_aggregates(database: Database) -> ClickAggregates:
    """All counted cells."""
    columns: dict[str, list[Any]] = {column.name: [] for column in click_cells.columns}
    with database.reading() as connection:
        found = connection.execution_options(yield_per=_BATCH).execute(select(click_cells))
        for part in found.partitions():
            for name, values in zip(columns, zip(*part, strict=True), strict=True):
                columns[name] += values
    return _as_cells(columns)


def count_click_aggregates(database: Database, is_counted: Callable[[str], bool]) -> ClickAggregates:
    """The cells of the searches of such sources alone, counted from the log; none of it is kept."""
    columns: dict[str, list[Any]] = {column.name: [] for column in click_cells.columns}
    with database.reading() as connection:
        for day in sorted(_signatures(connection)):
            searches, _ = _counted_searches(connection, day, is_counted)
            for key, counts in _count(_hits(connection, day), searches, _deeds(connection, day)).items():
                for name, value in zip(columns, (day, *key, *counts), strict=True):
                    columns[name].append(value)
    return _as_cells(columns)


def _as_cells(columns: Mapping[str, list[Any]]) -> ClickAggregates:
    names: dict[str, list[str]] = {}
    arrays = {name: np.array(columns[name], np.int64) for name in _NUMBERS}
    for column, name in _NAMED.items():
        names[name], arrays[name] = _coded(columns[column])
    return ClickAggregates(names["query"], names["item"], names["ranker"], names["layout"], **arrays)


def _coded(values: list[str]) -> tuple[list[str], np.ndarray]:
    """The different values in order of appearance, and each one's place among them."""
    places: dict[str, int] = {}
    codes = np.fromiter((places.setdefault(value, len(places)) for value in values), np.int64, len(values))
    return list(places), codes


def _signatures(connection: Connection) -> dict[int, str]:
    """By day: how many records the log has and up to which number, those set aside apart."""
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
    cells = _count(_hits(connection, day), searches, _deeds(connection, day))
    names = [column.name for column in click_cells.columns]
    rows = [dict(zip(names, (day, *key, *counts), strict=True)) for key, counts in cells.items()]
    for start in range(0, len(rows), _BATCH):
        connection.execute(insert(click_cells), rows[start : start + _BATCH])
    connection.execute(insert(click_days).values(day=day, signature=signature, searches=len(searches), capped=capped))


def _counted_searches(
    connection: Connection, day: int, is_counted: Callable[[str], bool] = lambda source: True
) -> tuple[dict[int, tuple[str, str, str]], int]:
    """(ranker, layout, query key) by the number of each search that counts, and how many were beyond the cap.

    Only those of sources that are counted.
    """
    found: dict[int, tuple[str, str, str]] = {}
    of_source: dict[tuple[str, str], int] = defaultdict(int)
    capped = 0
    columns = (queries.c.id, queries.c.user_query, actor_of(queries).label("source"), queries.c.query_attributes)
    chosen = select(*columns).where(_of(day), ~queries.c.set_aside, queries.c.user_query != "").order_by(queries.c.id)
    for row in connection.execute(chosen):
        attributes, key = json.loads(row.query_attributes), query_key(row.user_query)
        if not key or not _is_plain(attributes) or not is_counted(row.source):
            continue
        of_source[row.source, key] += 1
        if row.source and of_source[row.source, key] > SEARCHES_PER_SOURCE:
            capped += 1
            continue
        found[row.id] = (str(attributes.get("ranker", "")), str(attributes.get("layout", "")), key)
    return found, capped


def _is_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether the words alone, by relevance, decided what was shown: only then do clicks tell about them."""
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


def _deeds(connection: Connection, day: int) -> dict[tuple[int, str], int]:
    """By (search, item): 1 where it was clicked, 2 where it was put into the cart or bought as well."""
    is_conversion = events.c.action_name.in_(CONVERSIONS)
    chosen = (
        select(queries.c.id, events.c.object_id, is_conversion.label("converted"))
        .join(queries, queries.c.query_id == events.c.query_id)
        .where(_of(day), ~events.c.set_aside, or_(events.c.action_name == CLICK, is_conversion))
    )
    deeds: dict[tuple[int, str], int] = {}
    for row in connection.execute(chosen):
        pair = (row.id, row.object_id)
        deeds[pair] = max(deeds.get(pair, 0), 2 if row.converted else 1)
    return deeds


def _of(day: int) -> Any:
    return and_(queries.c.timestamp >= day * DAY_MS, queries.c.timestamp < (day + 1) * DAY_MS)


def _count(
    hits: Iterable[Sequence[Any]], searches: Mapping[int, tuple[str, str, str]], deeds: Mapping[tuple[int, str], int]
) -> dict[tuple[str, str, str, str, int, int], list[int]]:
    """[impressions, clicks, conversions] by (ranker, layout, query, item, position, after); hits in shown order."""
    cells: dict[tuple[str, str, str, str, int, int], list[int]] = {}
    search, after = -1, 0
    for number, position, item_id in hits:
        if number not in searches:
            continue
        if number != search:
            search, after = number, 0
        deed = deeds.get((number, item_id), 0)
        cell = cells.setdefault((*searches[number], item_id, position, after), [0, 0, 0])
        cell[0] += 1
        if deed:
            cell[1] += 1
            cell[2] += deed == 2
            after = position
    return cells
