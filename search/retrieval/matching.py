"""Decides which candidates match a query: what `total` and facets count, whatever the filters and the page."""

from collections.abc import Sequence

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.candidates import Retrieved
from magpie.search.retrieval.scoring import Candidates

_COVERED_SHARE = 0.6  # of the most that an item has of the query's known words, by rarity
_SCORE_SHARE = 0.45  # of the best score, for neighbours that lack the words


def find_matching(parsed: ParsedQuery, retrieved: Sequence[Retrieved], lists: Sequence[Candidates]) -> list[np.ndarray]:
    """For each list (n,) bool: the candidates that match.

    Those do that have enough of the query's words, against the item that has most of them; and neighbours without the
    words whose score comes near the best. When browsing, all do.
    """
    best = max((float(c.scores.max(initial=0)) for c in lists), default=0.0)
    if parsed.is_browsing or (best <= 0 and parsed.vector is not None):
        return [np.ones(len(c.rows), bool) for c in lists]
    covered = _COVERED_SHARE * max((float(found.lexical.coverage.max(initial=0)) for found in retrieved), default=0.0)
    return [
        _has_words(found, candidates, covered) | _is_near(parsed, candidates, best)
        for found, candidates in zip(retrieved, lists, strict=True)
    ]


def _has_words(found: Retrieved, candidates: Candidates, covered: float) -> np.ndarray:
    """(n,) bool: candidates with enough of the words."""
    having = np.zeros(len(candidates.segment.ids), bool)
    having[found.lexical.rows[found.lexical.coverage >= covered]] = True
    return having[candidates.rows]


def _is_near(parsed: ParsedQuery, candidates: Candidates, best: float) -> np.ndarray:
    """(n,) bool: candidates with a similarity whose scores come near the best one."""
    if parsed.vector is None:
        return np.zeros(len(candidates.rows), bool)
    return candidates.is_scored & (candidates.scores >= _SCORE_SHARE * best)
