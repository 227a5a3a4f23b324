"""Retrieves what each segment's indexes find for a parsed query: raw neighbours and raw lexical matches, unscored.

Filters take no part, so that what matches does not depend on them; they are applied to what was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from magpie.indexer.indexes.collection_statistics import CollectionStatistics, LookedUp
from magpie.indexer.indexes.lexical_index import NO_MATCHES, LexicalMatches
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery

NEAREST = 1_000  # neighbours that are candidates though they may lack the words
SCORED = 1_000  # lexical matches that get all addends; the others are ordered by their words alone


@dataclass(frozen=True)
class Retrieved:
    """What one segment's indexes found among its `allowed` rows.

    Those, (n,) bool or None for all, are living, not excluded, and have the phrases that the query needs. `neighbours`
    are the nearest rows with their cosines, by the compared vectors ("fused", "text", "image"), at most NEAREST of all
    segments together. `lexical` are all matches of the query's words, `scored` those of them that are among the
    SCORED best of all segments. `negated` are the matches of each negated phrase, `best_lexical` is the
    best lexical score of all segments.
    """

    segment: Segment
    allowed: np.ndarray | None = None
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)
    lexical: LexicalMatches = NO_MATCHES
    scored: LexicalMatches = NO_MATCHES
    negated: Sequence[LexicalMatches] = ()
    best_lexical: float = 0.0


def retrieve(segments: Sequence[Segment], parsed: ParsedQuery, statistics: CollectionStatistics) -> list[Retrieved]:
    """For each segment what its indexes find for the query; `statistics` are those of all segments."""
    words, negated = statistics.look_up(parsed.query_words), [statistics.look_up(one) for one in parsed.not_query_words]
    allowed = [_allowed_rows(segment, parsed, words) for segment in segments]
    if parsed.is_browsing:
        return [Retrieved(segment, rows) for segment, rows in zip(segments, allowed, strict=True)]
    matches = [_matches_among(segment, words, rows) for segment, rows in zip(segments, allowed, strict=True)]
    ids = [segment.ids[found.rows] for segment, found in zip(segments, matches, strict=True)]
    kept = _best_of_all([found.scores for found in matches], ids, SCORED)
    scored = [found if is_best.all() else found.where(is_best) for found, is_best in zip(matches, kept, strict=True)]
    best = max((found.best for found in matches), default=0.0)
    avoided = [
        [_matches_among(segment, one, rows) for one in negated] for segment, rows in zip(segments, allowed, strict=True)
    ]
    near = find_nearest(segments, parsed, allowed)
    return [
        Retrieved(segment, allowed[k], near[k], matches[k], scored[k], avoided[k], best)
        for k, segment in enumerate(segments)
    ]


def find_nearest(
    segments: Sequence[Segment], parsed: ParsedQuery, allowed: Sequence[np.ndarray | None]
) -> list[dict[str, Neighbours]]:
    """For each segment the nearest of its `allowed` rows ((n,) bool, None for all), by the compared vectors; of all
    segments together at most NEAREST by each."""
    found = [
        {name: segment.indexes[name].search(v, NEAREST, rows) for name, v in _vectors_by_part(segment, parsed).items()}
        for segment, rows in zip(segments, allowed, strict=True)
    ]
    for name in found[0] if len(segments) > 1 else ():
        scores = [each[name].scores for each in found]
        ids = [segment.ids[each[name].rows] for segment, each in zip(segments, found, strict=True)]
        for each, kept in zip(found, _best_of_all(scores, ids, NEAREST), strict=True):
            each[name] = Neighbours(each[name].rows[kept], each[name].scores[kept])
    return found


def _vectors_by_part(segment: Segment, parsed: ParsedQuery) -> Mapping[str, np.ndarray]:
    """The query vector for each vector index that is searched: (dim,), or as the fused rows are compared with it."""
    if parsed.vector is None:
        return {}
    if parsed.more_like_this is not None:
        return parsed.more_like_this.vectors
    return {parsed.source: segment.fused_query(parsed.vector) if parsed.source == "fused" else parsed.vector}


def _matches_among(segment: Segment, words: LookedUp, allowed: np.ndarray | None) -> LexicalMatches:
    """The rows of the segment that match the words, of the allowed ones."""
    if not words.words and not words.phrases:
        return replace(NO_MATCHES, words=words.texts, unknown=words.unknown)
    matches = segment.lexical.match(words)
    return matches if allowed is None else matches.where(allowed[matches.rows])


def _allowed_rows(segment: Segment, parsed: ParsedQuery, words: LookedUp) -> np.ndarray | None:
    """(n,) bool: rows that are living, not excluded, and have the phrases that the query needs; None where all are."""
    allowed = segment.lexical.having_phrases(words)
    excluded = segment.row_of(parsed.excluded_id) if parsed.excluded_id is not None else None
    if segment.dead.any():
        allowed = ~segment.dead if allowed is None else allowed & ~segment.dead
    if excluded is not None:
        allowed = np.ones(len(segment.ids), bool) if allowed is None else allowed.copy()
        allowed[excluded] = False
    return allowed


def _best_of_all(scores: Sequence[np.ndarray], ids: Sequence[np.ndarray], most: int) -> list[np.ndarray]:
    """For each segment (m,) bool: which of these scores are among the `most` best of all; of equal ones the older."""
    if sum(map(len, scores)) <= most:
        return [np.ones(len(of_segment), bool) for of_segment in scores]
    every = np.concatenate(list(scores))
    least = np.sort(every)[len(every) - most]  # quicker than np.partition where many are equal
    is_kept = every > least
    tied = np.flatnonzero(every == least)
    if len(ids) > 1:  # within a segment they are in order of age
        tied = tied[np.argsort(np.concatenate(list(ids))[tied], kind="stable")]
    is_kept[tied[: most - np.count_nonzero(is_kept)]] = True
    return np.split(is_kept, np.cumsum([len(of_segment) for of_segment in scores])[:-1])
