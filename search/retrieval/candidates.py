"""Retrieves what each segment's indexes find for a parsed query: raw neighbours and raw lexical matches, unscored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from magpie.indexer.indexes.lexical_index import LexicalMatches
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import FilterValue

_NO_MATCHES = LexicalMatches(np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Retrieved:
    """What one segment's indexes found among the rows that the filters allow.

    `neighbours` are the nearest rows by the part of the items that was compared ("fused", "text", "image"), with their
    cosines; `lexical` are the matches of the query's words, `negated` those of each phrase of "not";
    `best_lexical` is the best lexical score whatever the filters. `browsed` are all allowed rows where nothing is
    looked for.
    """

    segment: Segment
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)
    lexical: LexicalMatches = _NO_MATCHES
    negated: Sequence[LexicalMatches] = ()
    best_lexical: float = 0.0
    browsed: np.ndarray | None = None


def retrieve(
    segments: Sequence[Segment], parsed: ParsedQuery, filters: Mapping[str, FilterValue], depth: int
) -> list[Retrieved]:
    """For each segment the best `depth` rows of each index. Raises BadFilter."""
    return [_retrieve_from(segment, parsed, filters, depth) for segment in segments]


def _retrieve_from(segment: Segment, parsed: ParsedQuery, filters: Mapping[str, FilterValue], depth: int) -> Retrieved:
    allowed = allowed_rows(segment, filters, parsed.excluded_id)
    if parsed.is_browsing:
        return Retrieved(segment, browsed=np.arange(len(segment.ids)) if allowed is None else np.flatnonzero(allowed))
    lexical = _match(segment, parsed, parsed.words, depth, allowed)
    # how well words serve a query does not depend on its filters
    best = _match(segment, parsed, parsed.words, 1, None) if filters else lexical
    return Retrieved(
        segment,
        {name: segment.indexes[name].search(v, depth, allowed) for name, v in _vectors_by_part(parsed).items()},
        lexical,
        [_match(segment, parsed, phrase, depth, allowed) for phrase in parsed.not_words],
        float(best.scores[0]) if len(best.scores) else 0.0,
    )


def _vectors_by_part(parsed: ParsedQuery) -> Mapping[str, np.ndarray]:
    """The (dim,) vector that each index is asked for."""
    if parsed.vector is None:
        return {}
    return {parsed.source: parsed.vector} if parsed.more_like_this is None else parsed.more_like_this.vectors


def _match(segment: Segment, parsed: ParsedQuery, words: str, depth: int, allowed: np.ndarray | None) -> LexicalMatches:
    return segment.lexical.search(words, depth, allowed, parsed.right_words) if words else _NO_MATCHES


def allowed_rows(segment: Segment, filters: Mapping[str, FilterValue], excluded_id: int | None) -> np.ndarray | None:
    """(n,) bool rows that may be answers, None where all may."""
    allowed = segment.columns.allowed(filters)
    excluded = segment.row_of(excluded_id) if excluded_id is not None else None
    if segment.dead.any():
        allowed = ~segment.dead if allowed is None else allowed & ~segment.dead
    if excluded is not None:
        allowed = np.ones(len(segment.ids), bool) if allowed is None else allowed.copy()
        allowed[excluded] = False
    return allowed
