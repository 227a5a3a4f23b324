"""Decides which rows match a query: what `total` and facets count, whatever the filters and the page."""

from collections.abc import Sequence

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.candidates import Retrieved
from magpie.search.retrieval.scoring import Candidates

_COVERED_SHARE = 0.6  # of the most that an item has of the query's known words, by rarity
_SCORE_SHARE = 0.45  # of the best score, for neighbours that lack the words


def find_matching(
    parsed: ParsedQuery, retrieved: Sequence[Retrieved], scored: Sequence[Candidates]
) -> list[np.ndarray]:
    """For each segment (n,) bool: the rows that match.

    Those do that have enough of the query's words, against the item that has most of them; and `scored` candidates
    without the words whose score comes near the best. When browsing, all do.
    """
    best = max((float(c.scores.max(initial=0)) for c in scored), default=0.0)
    covered = _COVERED_SHARE * max((float(found.lexical.coverage.max(initial=0)) for found in retrieved), default=0.0)
    matching = []
    for found, candidates in zip(retrieved, scored, strict=True):
        matches = np.zeros(len(found.segment.ids), bool)
        matches[found.lexical.rows[found.lexical.coverage >= covered]] = True
        if parsed.is_browsing or parsed.vector is not None:
            matches[candidates.rows[candidates.scores >= _SCORE_SHARE * best]] = True
        matching.append(matches)
    return matching
