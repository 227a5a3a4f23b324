"""Reads the searches of a period, one row each: who asked what, how it was answered, what was clicked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from magpie.data.aggregates.counted_choices import CHOICES
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import person_of
from magpie.data.events.pseudonyms import SPAN_DAYS
from magpie.data.events.query_normalisation import query_key

DAY_MS = 86_400_000
NOBODY = -1
_RECOMMENDED = "recommend"  # how the rankers of recommendations begin, which nobody searched for
_BATCH = 2_000


@dataclass(frozen=True)
class Searches:
    """(n,) columns in order of arrival, of searches that are not filtered, not half-typed, and no further pages.

    `day` counts from 1970; `person` numbers clients, or sessions where no client is known, -1 where neither is known,
    and as one all that come from one address without a proof;
    `query` and `ranker` are indices into `queries` and `rankers`; `is_answered` is whether the answer was confident;
    `clicked` is the position of the topmost hit that was clicked, put into the cart or bought, 0 without any.
    """

    queries: list[str]
    rankers: list[str]
    day: np.ndarray
    person: np.ndarray
    query: np.ndarray
    ranker: np.ndarray
    is_answered: np.ndarray
    clicked: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    @cached_property
    def num_people(self) -> int:
        """Different people, as `people_by` counts them."""
        return int(self.people_by(np.zeros(len(self), np.int64), 1)[0])

    def people_by(self, group: np.ndarray, size: int) -> np.ndarray:
        """(size,) different people in each group of searches; `group` (n,) is below `size`, or negative for none.

        A client's name changes every 30 days, so people are counted within each such span, and the best span counts.
        """
        kept = np.flatnonzero((self.person != NOBODY) & (group >= 0))
        if not len(kept):
            return np.zeros(size, np.int64)
        spans = self.day[kept] // SPAN_DAYS
        spans -= spans.min()
        num_spans, num_people = int(spans.max()) + 1, int(self.person.max()) + 1
        pairs = np.unique((group[kept] * num_spans + spans) * num_people + self.person[kept]) // num_people
        people = np.bincount(pairs, minlength=size * num_spans)
        return people.reshape(size, num_spans).max(axis=1)

    def where(self, rows: np.ndarray) -> "Searches":
        """Only these rows; the names keep their places."""
        names = ("day", "person", "query", "ranker", "is_answered", "clicked")
        return Searches(self.queries, self.rankers, **{name: getattr(self, name)[rows] for name in names})


def read_searches(database: Database, since_ms: int) -> Searches:
    """The searches since then (milliseconds since 1970)."""
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "day", "person", "query", "ranker", "is_answered")}
    queries_, rankers, people = _Places(), _Places(), _Places()
    chosen = (
        select(
            queries.c.id,
            queries.c.timestamp,
            person_of(queries).label("source"),
            queries.c.user_query,
            queries.c.application,
            queries.c.query_attributes,
        )
        .where(queries.c.timestamp >= since_ms, ~queries.c.set_aside)
        .order_by(queries.c.id)
    )
    with database.reading() as connection:
        for part in connection.execution_options(yield_per=_BATCH).execute(chosen).partitions():
            for number, timestamp, source, words, application, fields in part:
                attributes = json.loads(fields)
                if not _is_search(attributes):
                    continue
                columns["id"].append(number)
                columns["day"].append(timestamp // DAY_MS)
                columns["person"].append(people.of(source) if source else NOBODY)
                columns["query"].append(queries_.of(query_key(words)))
                columns["ranker"].append(rankers.of(str(attributes.get("ranker", ""))))
                columns["is_answered"].append(bool(attributes.get("confident", application != "magpie")))
        clicked = _clicked(connection, since_ms)
    arrays = {name: np.array(values, bool if name == "is_answered" else np.int64) for name, values in columns.items()}
    positions = np.array([clicked.get(number, 0) for number in arrays.pop("id").tolist()], np.int64)
    return Searches(queries_.names, rankers.names, clicked=positions, **arrays)


class _Places:
    """Numbers names in order of appearance."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self._places.setdefault(name, len(self._places))

    @property
    def names(self) -> list[str]:
        return list(self._places)


def _is_search(attributes: Mapping[str, Any]) -> bool:
    is_recommended = str(attributes.get("ranker", "")).startswith(_RECOMMENDED)
    return not (is_recommended or attributes.get("typing") or attributes.get("offset"))


def _clicked(connection: Connection, since_ms: int) -> dict[int, int]:
    """By `queries.id` the position of the topmost hit that somebody chose."""
    hit = (impressions.c.query == queries.c.id) & (impressions.c.item_id == events.c.object_id)
    position = func.min(func.coalesce(impressions.c.position, events.c.position, 1))
    chosen = (
        select(queries.c.id, position)
        .select_from(events)
        .join(queries, queries.c.query_id == events.c.query_id)
        .outerjoin(impressions, hit)
        .where(queries.c.timestamp >= since_ms, ~events.c.set_aside, events.c.action_name.in_(CHOICES))
        .group_by(queries.c.id)
    )
    rows: Sequence[Any] = connection.execute(chosen).all()
    return {row[0]: max(row[1], 1) for row in rows}
