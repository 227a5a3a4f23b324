"""Click statistics of a ranker: debiased counts by query and item, and what other queries say of an item."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np

from magpie.search.click_models.debiased_rates import Pairs
from magpie.search.ranker.affinities import NOTHING, Affinities, Table
from magpie.search.ranker.affinity_fit import Shown, learn_affinities
from magpie.search.ranker.first_stage_arrays import PLACES, FirstStage
from magpie.search.ranker.query_kernel import QueryKernel, fit_query_kernel, similarity

FOLDS = 4
NEW_QUERY = FOLDS  # the place of what was learned from all queries


@dataclass(frozen=True)
class QueryStatistics:
    """One query's counts at a search's candidates, (n,) columns; zeros for candidates that it never showed."""

    exposure: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray
    conversions: np.ndarray


@dataclass(frozen=True)
class ClickStatistics:
    """Counts by (query, item) and vectors learned from them.

    Query number q of `queries` has the pairs `starts[q]:starts[q + 1]`; `ids` are `items.id`, ascending within a query;
    `counts` (4, m) are exposure, clicks, expected clicks and conversions. `query_vectors` is (q, dim). `directions`
    (FOLDS + 1, q, dim) are those of the query kernel: row f was learned without the queries of fold f, the last row
    from all. The rows of `affinities` and of `appeal` (what items have for any query) follow the same folds; only
    training needs the appeal.
    """

    queries: list[str]
    starts: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    query_vectors: np.ndarray
    directions: np.ndarray
    affinities: Affinities
    appeal: Table = NOTHING

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

    def of_query(self, key: str, ids: np.ndarray) -> QueryStatistics:
        """The counts of the items `ids` (n,) for this query, zero for an unknown query."""
        place = self._places.get(key)
        if place is None:
            return QueryStatistics(*np.zeros((4, len(ids))))
        mine = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return QueryStatistics(*_looked_up(self.ids[mine], self.counts[:, mine], ids))

    def pairs_of(self, key: str, ids: np.ndarray) -> np.ndarray:
        """(n,) the places of the query's pairs with these items, -1 where there is none."""
        place = self._places[key]
        start, end = int(self.starts[place]), int(self.starts[place + 1])
        at = np.minimum(start + np.searchsorted(self.ids[start:end], ids), end - 1)
        return np.where(self.ids[at] == ids, at, -1)

    def with_clicks(self, clicks: np.ndarray) -> "ClickStatistics":
        """The same with other clicks (m,) of the pairs."""
        return replace(self, counts=np.stack([self.counts[0], clicks, *self.counts[2:]]))

    def of_other_queries(self, key: str, ids: np.ndarray) -> QueryStatistics:
        """The counts of the items `ids` (n,) summed over all other queries, without those of this one."""
        own = self.of_query(key, ids)
        everything = _looked_up(*self._items, ids)
        parts = (own.exposure, own.clicks, own.expected, own.conversions)
        return QueryStatistics(*(np.maximum(total - part, 0) for total, part in zip(everything, parts, strict=True)))

    def of_similar_queries(self, key: str, query: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) clicks and (n,) expected clicks of the items, summed over other queries by similarity to this one."""
        by_item, sorted_ids, owners = self._pairs_by_item
        first, last = (np.searchsorted(sorted_ids, ids, side) for side in ("left", "right"))
        lengths = last - first
        candidate = np.repeat(np.arange(len(ids)), lengths)
        pair = by_item[np.arange(len(candidate)) - np.repeat(np.cumsum(lengths) - lengths - first, lengths)]
        alike = similarity(query[None], self.query_vectors)[0]
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

    def query_kernel(self, fold: int) -> QueryKernel:
        """The query kernel that was fitted without one fold of the queries (NEW_QUERY: on all)."""
        return QueryKernel(self.query_vectors, self.directions[fold])


def fold_of(key: str) -> int:
    """The fold of a query, always the same: 0 to FOLDS - 1."""
    return int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) % FOLDS


def gather_click_statistics(
    pairs: Pairs, stages: Mapping[str, FirstStage], numbers: Mapping[str, int]
) -> ClickStatistics:
    """The statistics of the pairs whose item is in the catalogue (`numbers`: `items.id` by item id).

    QueryKernel and affinities learn from the queries in `stages` and their candidates alone.
    """
    number = np.array([numbers.get(item_id, -1) for item_id in pairs.items], np.int64)[pairs.item]
    kept = np.flatnonzero(number >= 0)
    kept = kept[np.lexsort((number[kept], pairs.query[kept]))]
    known, place = np.unique(pairs.query[kept], return_inverse=True)
    queries = [pairs.queries[q] for q in known]
    counts = np.stack([x[kept] for x in (pairs.exposure, pairs.clicks, pairs.expected, pairs.conversions)])
    starts = np.searchsorted(place, np.arange(len(known) + 1))
    vectors = _query_vectors(queries, stages)
    found = _find_candidates(queries, starts, number[kept], stages)
    learned = _learn_from(found, queries, vectors, number[kept], counts[1:3])
    return ClickStatistics(queries, starts, number[kept], counts, vectors, *learned)


def _query_vectors(queries: list[str], stages: Mapping[str, FirstStage]) -> np.ndarray:
    """(q, dim), zeros for queries without a first stage."""
    dim = len(next(iter(stages.values())).query) if stages else 1
    nothing = np.zeros(dim, np.float32)
    rows = [stages[key].query if key in stages else nothing for key in queries]
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, dim), np.float32)


@dataclass(frozen=True)
class _Candidates:
    """The pairs that are among the first stage's candidates of their query, (m,) columns: the number of the pair, the
    place of its query, the item's vector, and (m, len(PLACES)) where the first stage has it. The items' tags are
    triplets: which of the m, the place of the tag in `tags`, the chance that the item has it."""

    pair: np.ndarray
    query: np.ndarray
    vectors: np.ndarray
    place: np.ndarray
    tags: list[tuple[str, str]]
    tagged: tuple[np.ndarray, np.ndarray, np.ndarray]


def _find_candidates(
    queries: list[str], starts: np.ndarray, ids: np.ndarray, stages: Mapping[str, FirstStage]
) -> _Candidates:
    nothing = np.zeros(0, np.int64)
    found = [(nothing, nothing, np.zeros((0, 1), np.float32), np.zeros((0, len(PLACES))))]
    tags: dict[tuple[str, str], int] = {}
    tagged, before = [(nothing, nothing, np.zeros(0))], 0
    for q, key in enumerate(queries):
        stage = stages.get(key)
        if stage is None:
            continue
        mine = np.arange(starts[q], starts[q + 1])
        order = np.argsort(stage.ids)
        at = np.minimum(np.searchsorted(stage.ids, ids[mine], sorter=order), len(stage) - 1)
        known = stage.ids[order[at]] == ids[mine]
        rank = order[at[known]]
        found.append((mine[known], np.full(len(rank), q), stage.vectors[rank], stage.places(key)[rank]))
        row_of = np.full(len(stage), -1)
        row_of[rank] = before + np.arange(len(rank))
        used = np.flatnonzero(row_of[stage.likely.owner] >= 0)
        numbers = np.array([tags.setdefault(name, len(tags)) for name in stage.likely.names], np.int64)
        own = stage.likely.tag[used]
        tagged.append((row_of[stage.likely.owner[used]], numbers[own] if len(own) else own, stage.likely.chance[used]))
        before += len(rank)
    pairs, owners, vectors, places = zip(*(found[1:] or found), strict=True)
    pair, owner, vector, place = (np.concatenate(parts) for parts in (pairs, owners, vectors, places))
    of_pair, of_tag, chance = (np.concatenate(parts) for parts in zip(*tagged, strict=True))
    return _Candidates(pair, owner, vector, place, list(tags), (of_pair, of_tag, chance))


def _learn_from(
    found: _Candidates, queries: list[str], vectors: np.ndarray, ids: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, Affinities, Table]:
    """Directions, affinities and appeal without the queries of each fold, and at last from all; `counts` (2, pairs) are
    clicks and expected clicks."""
    fold = np.array([fold_of(key) for key in queries], np.int64)[found.query]
    chosen = [fold != left_out for left_out in range(FOLDS + 1)]
    item, clicked = ids[found.pair], counts[:, found.pair]
    shown = Shown(found.query, item, found.place, clicked[0], clicked[1], found.tags, found.tagged)
    affinities, appeal = learn_affinities(queries, shown, chosen)
    learned = [
        fit_query_kernel(vectors, found.query[use], item[use], found.vectors[use], clicked[:, use]) for use in chosen
    ]
    return np.stack([one.directions for one in learned]), affinities, appeal


def _looked_up(known: np.ndarray, counts: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(4, n) the counts at these ids, zero where they are not known; `known` is ascending."""
    if not len(known):
        return np.zeros((len(counts), len(ids)))
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[at] == ids, counts[:, at], 0.0)
