"""Merges the candidates of all segments into one ranked list, by score, or the matching ones by a field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from magpie.indexer.indexes.attribute_columns import Columns, check_names
from magpie.indexer.indexes.column_types import NumberColumn
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.scoring import Candidates

# tiers; after OTHER_WORDS come blocks of ever more distant neighbours
SCORED_MATCH, OTHER_MATCH, NEAR, OTHER_WORDS = 0, 1, 2, 3
NEWEST = "newest"
RELEVANCE = "relevance"


@dataclass(frozen=True)
class RankedList:
    """The candidates of all segments in ranking order.

    For each, (n,): `of_list` is its list in `lists`, `places` its place there, `ids` its `items.id`, `tiers` its tier:
    what matches comes before what is only NEAR. `learned` are further addends of the scores, (n,) by source: "clicks",
    "session", "freshness".
    """

    lists: Sequence[Candidates]
    of_list: np.ndarray
    places: np.ndarray
    ids: np.ndarray
    tiers: np.ndarray
    learned: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def first_stage_score(self, k: int) -> float:
        """The score of the k-th candidate (from 0) without learned addends."""
        return float(self.lists[self.of_list[k]].scores[self.places[k]])

    def top_scores(self, top: int) -> np.ndarray:
        """(top,) float32 scores of the first candidates, with all addends."""
        scores = np.zeros(top, np.float32)
        for number, candidates in enumerate(self.lists):
            own = self.of_list[:top] == number
            scores[own] = candidates.scores[self.places[:top][own]]
        return np.asarray(scores + sum(added[:top] for added in self.learned.values()), np.float32)

    def score(self, k: int) -> float:
        """The score of the k-th candidate (from 0), with all addends."""
        return self.first_stage_score(k) + sum(float(added[k]) for added in self.learned.values())

    def dominant_colour(self, k: int) -> tuple[int, int, int]:
        """Red, green and blue: the dominant colour of the k-th candidate's first picture."""
        candidates = self.lists[self.of_list[k]]
        return candidates.segment.dominant_colour(int(candidates.rows[self.places[k]]))

    def explain(self, page: range, parsed: ParsedQuery) -> list[dict[str, float]]:
        """The addends of the scores of the candidates at these places, by source; they sum to each score."""
        of_list, places = self.of_list[page.start : page.stop], self.places[page.start : page.stop]
        explained: list[dict[str, float]] = [{} for _ in page]
        for number in np.unique(of_list):
            own = np.flatnonzero(of_list == number)
            for k, addends in zip(own, self.lists[number].explain(places[own], parsed), strict=True):
                explained[k] = addends
        return [
            addends | {source: float(added[k]) for source, added in self.learned.items()}
            for k, addends in zip(page, explained, strict=True)
        ]

    def reordered(self, rank: np.ndarray, source: str, added: np.ndarray) -> "RankedList":
        """The candidates at the places `rank` (n,), in that order, with the addends `added` (n,) of a new `source`."""
        learned = {name: before[rank] for name, before in self.learned.items()}
        return replace(_taken(self, rank), learned={**learned, source: added})


def merge(lists: Sequence[Candidates], tiers: Sequence[np.ndarray], sort: str) -> RankedList:
    """For "relevance" all candidates by tier and then by score, else those that match by the field that `sort` names.

    `tiers` are (n,) int for the candidates of each list; those below NEAR match. A leading "-" sorts descending. Ties
    go to the older item, so that pages are stable; items without the field come last in both directions. Raises
    UnknownField.
    """
    name, is_descending = sort.removeprefix("-"), sort.startswith("-")
    if name == RELEVANCE:
        ranked = _all(lists, tiers, [np.arange(len(c.rows)) for c in lists])
        if len(lists) == 1:  # in the order of score and age already
            return _taken(ranked, np.argsort(ranked.tiers, kind="stable"))
        scores = np.concatenate([c.scores for c in lists])
        return _taken(ranked, np.lexsort((ranked.ids, -scores, ranked.tiers)))
    kept = [np.flatnonzero(of_list < NEAR) for of_list in tiers]
    ranked = _all(lists, tiers, kept)
    if name == NEWEST:
        return _taken(ranked, np.argsort(-ranked.ids if not is_descending else ranked.ids))
    keys = [_keys(c.segment.columns, c.rows[at], name) for c, at in zip(lists, kept, strict=True)]
    return _taken(ranked, _order(np.concatenate(keys), ranked.ids, is_descending))


def _order(keys: np.ndarray, ids: np.ndarray, is_descending: bool) -> np.ndarray:
    """(n,) places by key, then by id; None and NaN last. Ranks in place of keys make words and numbers sort alike."""
    known = np.array([key is not None and key == key for key in keys], bool)
    ranks = np.zeros(len(keys), np.int64)
    if known.any():
        ranks[known] = np.unique(keys[known], return_inverse=True)[1]
    return np.lexsort((ids, -ranks if is_descending else ranks, ~known))


def _keys(columns: Columns, rows: np.ndarray, name: str) -> np.ndarray:
    """(n,) object sort keys of these rows: a number, a casefolded word, or None where the field is missing."""
    if name not in columns:
        return np.full(len(rows), None, object)
    column = columns[name]
    if isinstance(column, NumberColumn):
        return column.values[rows].astype(object)
    firsts = [column.codes[column.starts[r]] if column.starts[r] < column.starts[r + 1] else -1 for r in rows]
    words = [column.vocabulary[code].casefold() if code >= 0 else None for code in firsts]
    return np.array([*words, None], object)[:-1]


def check_sort(sort: str, segments: Sequence[Columns]) -> None:
    """Checks the field to sort by. Raises UnknownField where no segment has it."""
    check_names([sort.removeprefix("-")], segments, "sort", also=(RELEVANCE, NEWEST))


def _all(lists: Sequence[Candidates], tiers: Sequence[np.ndarray], kept: Sequence[np.ndarray]) -> RankedList:
    return RankedList(
        lists,
        np.concatenate([np.full(len(at), k) for k, at in enumerate(kept)]),
        np.concatenate(list(kept)),
        np.concatenate([c.segment.ids[c.rows[at]] for c, at in zip(lists, kept, strict=True)]),
        np.concatenate([of_list[at] for of_list, at in zip(tiers, kept, strict=True)]),
    )


def _taken(ranked: RankedList, order: np.ndarray) -> RankedList:
    return RankedList(ranked.lists, ranked.of_list[order], ranked.places[order], ranked.ids[order], ranked.tiers[order])
