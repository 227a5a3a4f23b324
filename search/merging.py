"""Candidates of all segments → one order: by score, or by a field among those that match."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.columns import Columns, NumberColumn, check_names
from search.question import Question
from search.ranking import Candidates

# A candidate matches when it scores at least this share of the best one; those below are near, but not meant.
_MATCHING_SHARE = 0.45
NEWEST = "newest"
RELEVANCE = "relevance"


@dataclass(frozen=True)
class Merged:
    """The order over all segments: (n,) which candidates list, the place in it, and the items' ids.

    `session` is (n,) what the searcher's earlier choices add to each score, None where nothing is known of them.
    """

    lists: Sequence[Candidates]
    of_list: np.ndarray
    places: np.ndarray
    ids: np.ndarray
    session: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def score(self, k: int) -> float:
        """The score of the k-th candidate."""
        added = 0.0 if self.session is None else float(self.session[k])
        return float(self.lists[self.of_list[k]].scores[self.places[k]]) + added

    def explain(self, k: int, question: Question) -> dict[str, float]:
        """The addends of the k-th candidate's score by source."""
        addends = self.lists[self.of_list[k]].explain(int(self.places[k]), question)
        return addends if self.session is None else addends | {"session": float(self.session[k])}


def matching_rows(lists: Sequence[Candidates], is_browsing: bool) -> list[np.ndarray]:
    """Per list the rows that match the question, not only lie nearest to it."""
    best = max((float(c.scores[0]) for c in lists if len(c.scores)), default=0.0)
    if is_browsing or best <= 0:
        return [c.rows for c in lists]
    return [c.rows[c.scores >= _MATCHING_SHARE * best] for c in lists]


def merge(lists: Sequence[Candidates], matching: Sequence[np.ndarray], sort: str) -> Merged:
    """All candidates by score, or the matching ones by a field; raises BadFilter for a field that is not there.

    Ties go to the older item, so pages are stable; items without the field come last in both directions.
    """
    name, is_descending = sort.removeprefix("-"), sort.startswith("-")
    if name == RELEVANCE:
        merged = _all(lists, [np.arange(len(c.rows)) for c in lists])
        scores = np.concatenate([c.scores for c in lists])
        return _taken(merged, np.lexsort((merged.ids, -scores)))
    kept = [np.flatnonzero(np.isin(c.rows, rows)) for c, rows in zip(lists, matching, strict=True)]
    merged = _all(lists, kept)
    if name == NEWEST:
        return _taken(merged, np.argsort(-merged.ids if not is_descending else merged.ids))
    keys = [_keys(c.segment.columns, c.rows[at], name) for c, at in zip(lists, kept, strict=True)]
    return _taken(merged, _order(np.concatenate(keys), merged.ids, is_descending))


def _order(keys: np.ndarray, ids: np.ndarray, is_descending: bool) -> np.ndarray:
    """Places by key, then by id; None and NaN last. The ranks make words and numbers sort alike."""
    known = np.array([key is not None and key == key for key in keys], bool)
    ranks = np.zeros(len(keys), np.int64)
    if known.any():
        ranks[known] = np.unique(keys[known], return_inverse=True)[1]
    return np.lexsort((ids, -ranks if is_descending else ranks, ~known))


def _keys(columns: Columns, rows: np.ndarray, name: str) -> np.ndarray:
    """(n,) objects: a number, a casefolded word, or None. A segment whose items all lack the field has no column."""
    if name not in columns:
        return np.full(len(rows), None, object)
    column = columns[name]
    if isinstance(column, NumberColumn):
        return column.values[rows].astype(object)
    firsts = [column.codes[column.starts[r]] if column.starts[r] < column.starts[r + 1] else -1 for r in rows]
    words = [column.vocabulary[code].casefold() if code >= 0 else None for code in firsts]
    return np.array([*words, None], object)[:-1]


def check_sort(sort: str, segments: Sequence[Columns]) -> None:
    """Raises BadFilter for a field that no segment has."""
    check_names([sort.removeprefix("-")], segments, "sort", also=(RELEVANCE, NEWEST))


def _all(lists: Sequence[Candidates], kept: Sequence[np.ndarray]) -> Merged:
    return Merged(
        lists,
        np.concatenate([np.full(len(at), k) for k, at in enumerate(kept)]),
        np.concatenate(list(kept)),
        np.concatenate([c.segment.ids[c.rows[at]] for c, at in zip(lists, kept, strict=True)]),
    )


def _taken(merged: Merged, order: np.ndarray) -> Merged:
    return Merged(merged.lists, merged.of_list[order], merged.places[order], merged.ids[order])
