"""Retrieves what each segment's indexes find for a parsed query: raw neighbours and raw lexical matches, unscored.

Filters take no part, so that what matches does not depend on them; they are applied to what was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from magpie.indexer.indexes.collection_statistics import CollectionStatistics, LookedUp
from magpie.indexer.indexes.lexical_index import NO_MATCHES, LexicalMatches
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.indexer.mix.mix import Weights
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery

NEAREST = 500  # neighbours that are candidates though they may lack the words
SCORED = 1_000  # lexical matches that get all addends; the others are ordered by their words alone


@dataclass(frozen=True)
class Retrieved:
    """What one segment's indexes found among its `allowed` rows.

    Those, (n,) bool or None for all, are living, not the example, and pass what the query's words ask: filters,
    phrases, exclusions. `weights` are those of the query's words and vectors, alike for all segments. `neighbours` are
    the nearest rows with their cosines, by the compared vectors ("fused", "text", "image"; fused ones are weighted), at
    most NEAREST of all segments together. `lexical` are all matches of the query's words, `scored` those of them that
    are among the SCORED best of all segments. `negated` are the matches of each negated phrase.
    """

    segment: Segment
    weights: Weights
    allowed: np.ndarray | None = None
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)
    lexical: LexicalMatches = NO_MATCHES
    scored: LexicalMatches = NO_MATCHES
    negated: Sequence[LexicalMatches] = ()


def retrieve(segments: Sequence[Segment], parsed: ParsedQuery, statistics: CollectionStatistics) -> list[Retrieved]:
    """For each segment what its indexes find; `statistics` are those of all segments. Raises BadFilter."""
    words, negated = statistics.look_up(parsed.query_words), [statistics.look_up(one) for one in parsed.not_query_words]
    weights = weights_of(parsed, words.known_share)
    allowed = [_allowed_rows(segment, parsed, words) for segment in segments]
    if parsed.is_browsing:
        return [Retrieved(segment, weights, rows) for segment, rows in zip(segments, allowed, strict=True)]
    matches = [_matches_among(segment, words, rows) for segment, rows in zip(segments, allowed, strict=True)]
    ids = [segment.ids[found.rows] for segment, found in zip(segments, matches, strict=True)]
    kept = _best_of_all([found.scores for found in matches], ids, SCORED)
    scored = [found if is_best.all() else found.where(is_best) for found, is_best in zip(matches, kept, strict=True)]
    avoided = [
        [_matches_among(segment, one, rows) for one in negated] for segment, rows in zip(segments, allowed, strict=True)
    ]
    near = find_nearest(segments, parsed, weights, allowed)
    return [
        Retrieved(segment, weights, allowed[k], near[k], matches[k], scored[k], avoided[k])
        for k, segment in enumerate(segments)
    ]


def weights_of(parsed: ParsedQuery, known_words: float) -> Weights:
    """The query's weights, where the catalogue has this share of its words."""
    if not parsed.query_words.words:
        return parsed.mix.of_vectors()
    return parsed.mix.of_query(known_words, parsed.known_share)


def find_nearest(
    segments: Sequence[Segment], parsed: ParsedQuery, weights: Weights, allowed: Sequence[np.ndarray | None]
) -> list[dict[str, Neighbours]]:
    """For each segment the nearest of its `allowed` rows ((n,) bool, None for all), by the compared vectors; of all
    segments together at most NEAREST by each."""
    found = [
        {
            name: segment.indexes[name].search(vector, NEAREST, rows)
            for name, vector in _vectors_by_part(segment, parsed, weights).items()
        }
        for segment, rows in zip(segments, allowed, strict=True)
    ]
    for name in found[0] if len(segments) > 1 else ():
        scores = [each[name].scores for each in found]
        ids = [segment.ids[each[name].rows] for segment, each in zip(segments, found, strict=True)]
        for each, kept in zip(found, _best_of_all(scores, ids, NEAREST), strict=True):
            each[name] = Neighbours(each[name].rows[kept], each[name].scores[kept])
    return found


def _vectors_by_part(segment: Segment, parsed: ParsedQuery, weights: Weights) -> Mapping[str, np.ndarray]:
    """The query vector for each vector index that is searched: (dim,), or as the fused rows are compared with it."""
    if parsed.vector is None:
        return {}
    if parsed.more_like_this is not None:
        return parsed.more_like_this.vectors
    if parsed.source != "fused":
        return {parsed.source: parsed.vector}
    fused = {"fused": segment.fused_query(parsed.vector, weights.text, weights.image)}
    return {**fused, "image": parsed.vector} if parsed.is_picture_alone else fused


def _matches_among(segment: Segment, words: LookedUp, allowed: np.ndarray | None) -> LexicalMatches:
    """The rows of the segment that match the words, of the allowed ones."""
    if not words.words and not words.phrases:
        return replace(NO_MATCHES, words=words.texts, unknown=words.unknown)
    matches = segment.lexical.match(words)
    return matches if allowed is None else matches.where(allowed[matches.rows])


def _allowed_rows(segment: Segment, parsed: ParsedQuery, words: LookedUp) -> np.ndarray | None:
    """(n,) bool: rows that pass the filters of the query's words, have its phrases and nothing that it excludes, are
    living and not the example; None where all are. Raises BadFilter."""
    masks = (segment.columns.allowed(parsed.reading.filters), segment.lexical.having_phrases(words))
    given = [mask for mask in masks if mask is not None]
    allowed = np.logical_and.reduce(given) if given else None
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
