"""Pairs with first-stage vectors → everything that a ranker remembers of clicks, each query's own apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from search.learning.first_stage import FirstStage
from search.learning.kinship import Kinship, learn_kinship, likeness
from search.learning.rates import Pairs

FOLDS = 4
NEW_QUERY = FOLDS  # the place of what was learned from all queries


@dataclass(frozen=True)
class QueryEvidence:
    """One query's counts at a search's candidates, (n,) columns; zeros for candidates that it never showed."""

    exposure: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray
    conversions: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """Counts by (query, item) and vectors learned from them.

    Query number q of `queries` has the pairs `starts[q]:starts[q + 1]`; `ids` are `items.id`, ascending within a query;
    `counts` (4, m) are exposure, clicks, expected clicks and conversions. `query_vectors` is (q, dim) and `directions`
    (FOLDS + 1, q, dim): what kinship learned without the queries of each fold, and at last from all of them.
    """

    queries: list[str]
    starts: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    query_vectors: np.ndarray
    directions: np.ndarray

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.queries)}

    @cached_property
    def _items(self) -> tuple[np.ndarray, np.ndarray]:
        """(k,) ids, ascending, and (4, k) their counts over all queries."""
        ids, place = np.unique(self.ids, return_inverse=True)
        return ids, np.stack([np.bincount(place, column, len(ids)) for column in self.counts])

    @cached_property
    def usual_rate(self) -> float:
        """Clicks per exposure over everything."""
        return max(float(self.counts[1].sum()), 1.0) / max(float(self.counts[0].sum()), 1.0)

    @cached_property
    def usual_conversion(self) -> float:
        """Conversions per click over everything."""
        return float(self.counts[3].sum()) / max(float(self.counts[1].sum()), 1.0)

    @property
    def num_clicks(self) -> float:
        return float(self.counts[1].sum())

    def knows(self, key: str) -> bool:
        return key in self._places

    def of_query(self, key: str, ids: np.ndarray) -> QueryEvidence:
        """What this query itself showed and got."""
        place = self._places.get(key)
        if place is None:
            return QueryEvidence(*np.zeros((4, len(ids))))
        mine = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return QueryEvidence(*_looked_up(self.ids[mine], self.counts[:, mine], ids))

    def of_other_queries(self, key: str, ids: np.ndarray) -> QueryEvidence:
        """What all other queries showed and got: no count of this one is in it."""
        own = self.of_query(key, ids)
        everything = _looked_up(*self._items, ids)
        parts = (own.exposure, own.clicks, own.expected, own.conversions)
        return QueryEvidence(*(np.maximum(total - part, 0) for total, part in zip(everything, parts, strict=True)))

    def of_kindred_queries(self, key: str, query: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) clicks and expected clicks of the items for other queries, each by its likeness to this one."""
        by_item, sorted_ids, owners = self._pairs_by_item
        first, last = (np.searchsorted(sorted_ids, ids, side) for side in ("left", "right"))
        lengths = last - first
        candidate = np.repeat(np.arange(len(ids)), lengths)
        pair = by_item[np.arange(len(candidate)) - np.repeat(np.cumsum(lengths) - lengths - first, lengths)]
        alike = likeness(query[None], self.query_vectors)[0]
        if self.knows(key):
            alike[self._places[key]] = 0.0
        weights = alike[owners[pair]]
        clicks, expected = (np.bincount(candidate, weights * self.counts[row, pair], len(ids)) for row in (1, 2))
        return clicks, expected

    @cached_property
    def _pairs_by_item(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pairs in the order of their items, these items' ids, and (in the pairs' own order) their queries."""
        by_item = np.argsort(self.ids, kind="stable")
        owners = np.repeat(np.arange(len(self.queries)), np.diff(self.starts))
        return by_item, self.ids[by_item], owners

    def kinship(self, fold: int) -> Kinship:
        """What queries look for, learned without one fold of them (NEW_QUERY: from all)."""
        return Kinship(self.query_vectors, self.directions[fold])


def fold_of(key: str) -> int:
    """The fold of a query, always the same: 0 to FOLDS - 1."""
    return int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) % FOLDS


def gather_evidence(pairs: Pairs, stages: Mapping[str, FirstStage], numbers: Mapping[str, int]) -> Evidence:
    """The evidence of the pairs whose item is in the catalogue (`numbers`: item id → `items.id`).

    Kinship needs vectors, so it learns from the queries in `stages` and their candidates alone.
    """
    number = np.array([numbers.get(item_id, -1) for item_id in pairs.items], np.int64)[pairs.item]
    kept = np.flatnonzero(number >= 0)
    kept = kept[np.lexsort((number[kept], pairs.query[kept]))]
    known, place = np.unique(pairs.query[kept], return_inverse=True)
    queries = [pairs.queries[q] for q in known]
    counts = np.stack([x[kept] for x in (pairs.exposure, pairs.clicks, pairs.expected, pairs.conversions)])
    starts = np.searchsorted(place, np.arange(len(known) + 1))
    vectors, directions = _learn_directions(queries, starts, number[kept], counts, stages)
    return Evidence(queries, starts, number[kept], counts, vectors, directions)


def _learn_directions(
    queries: list[str], starts: np.ndarray, ids: np.ndarray, counts: np.ndarray, stages: Mapping[str, FirstStage]
) -> tuple[np.ndarray, np.ndarray]:
    dim = len(next(iter(stages.values())).query) if stages else 1
    query_vectors = np.zeros((len(queries), dim), np.float32)
    of_query, vectors, pairs = [], [], []
    for q, key in enumerate(queries):
        stage = stages.get(key)
        if stage is None:
            continue
        query_vectors[q] = stage.query
        mine = np.arange(starts[q], starts[q + 1])
        order = np.argsort(stage.ids)
        at = np.minimum(np.searchsorted(stage.ids, ids[mine], sorter=order), len(stage) - 1)
        found = stage.ids[order[at]] == ids[mine]
        of_query.append(np.full(int(found.sum()), q))
        vectors.append(stage.vectors[order[at[found]]])
        pairs.append(mine[found])
    if not pairs:
        return query_vectors, np.zeros((FOLDS + 1, len(queries), dim), np.float32)
    owner, rows, chosen = np.concatenate(of_query), np.concatenate(vectors), np.concatenate(pairs)
    fold = np.array([fold_of(key) for key in queries])[owner]
    learned = [
        learn_kinship(query_vectors, owner[use], ids[chosen[use]], rows[use], counts[1:3, chosen[use]])
        for use in (fold != left_out for left_out in range(FOLDS + 1))
    ]
    return query_vectors, np.stack([one.directions for one in learned])


def _looked_up(known: np.ndarray, counts: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(4, n) the counts at these ids, zero where they are not known; `known` is ascending."""
    if not len(known):
        return np.zeros((len(counts), len(ids)))
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[at] == ids, counts[:, at], 0.0)
