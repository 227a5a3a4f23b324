"""Retrieves what each segment's indexes find for a parsed query: raw neighbours and raw lexical matches, unscored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.fast_arrays import best_first
from magpie.indexer.indexes.lexical_index import NO_MATCHES, LexicalMatches
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.indexer.mix.mix import Weights
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import FilterValue


@dataclass(frozen=True)
class Retrieved:
    """What one segment's indexes found among the rows that the filters allow.

    `neighbours` are the nearest rows with their cosines, by the compared vectors ("fused", "text", "image"); `lexical`
    the matches of the query's words, `negated` those of each negated phrase, and `matched` both whatever the filters.
    `weights` are those of the query's words and vectors, alike for all segments; the similarities with fused rows are
    weighted by them. `browsed` are all allowed rows (n,), for a request without a query.
    """

    segment: Segment
    weights: Weights
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)
    lexical: LexicalMatches = NO_MATCHES
    negated: Sequence[LexicalMatches] = ()
    browsed: np.ndarray | None = None
    matched: tuple[LexicalMatches, ...] = ()


def retrieve(
    segments: Sequence[Segment],
    parsed: ParsedQuery,
    filters: Mapping[str, FilterValue],
    depth: int,
    before: Sequence[Retrieved] = (),
) -> list[Retrieved]:
    """For each segment the best `depth` rows of each index that the query uses. Raises BadFilter.

    `before` is what was retrieved for the same query with other filters, so that its words are not matched again.
    """
    if before:
        weights, matched = before[0].weights, [each.matched for each in before]
    else:
        statistics = CollectionStatistics((segment.lexical, segment.dead) for segment in segments)
        words = [statistics.look_up(one) for one in (parsed.query_words, *parsed.not_query_words)]
        weights = weights_of(parsed, words[0].known_share)
        # a request without a query has no words
        matched = [() if parsed.is_browsing else tuple(map(each.lexical.match, words)) for each in segments]
    pairs = zip(segments, matched, strict=True)
    return [_retrieve_from(segment, _Asked(parsed, weights, own), filters, depth) for segment, own in pairs]


@dataclass(frozen=True)
class _Asked:
    """What one segment is asked: the query and its weights; the matches of its words and of each negated phrase."""

    parsed: ParsedQuery
    weights: Weights
    matched: tuple[LexicalMatches, ...]


def weights_of(parsed: ParsedQuery, known_words: float) -> Weights:
    """The query's weights, where the catalogue has this share of its words."""
    if not parsed.query_words.words:
        return parsed.mix.of_vectors()
    return parsed.mix.of_query(known_words, parsed.known_share)


def _retrieve_from(segment: Segment, asked: _Asked, filters: Mapping[str, FilterValue], depth: int) -> Retrieved:
    parsed, weights = asked.parsed, asked.weights
    allowed = allowed_rows(segment, filters, parsed)
    if parsed.is_browsing:
        browsed = np.arange(len(segment.ids)) if allowed is None else np.flatnonzero(allowed)
        return Retrieved(segment, weights, browsed=browsed)
    lexical, *negated = asked.matched
    return Retrieved(
        segment,
        weights,
        {
            name: segment.indexes[name].search(v, depth, allowed)
            for name, v in _vectors_by_part(segment, parsed, weights).items()
        },
        _best_of(lexical, depth, allowed),
        [_best_of(each, depth, allowed) for each in negated],
        matched=asked.matched,
    )


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


def _best_of(matches: LexicalMatches, depth: int, allowed: np.ndarray | None) -> LexicalMatches:
    """The best `depth` of the matches on allowed rows."""
    kept = np.arange(len(matches.rows)) if allowed is None else np.flatnonzero(allowed[matches.rows])
    if len(kept) > depth:
        kept = kept[best_first(matches.scores[kept], matches.rows[kept])[:depth]]
    return replace(matches, rows=matches.rows[kept], scores=matches.scores[kept])


def allowed_rows(segment: Segment, filters: Mapping[str, FilterValue], parsed: ParsedQuery) -> np.ndarray | None:
    """(n,) bool: rows that pass the filters and those of the query's words, have its phrases and nothing that it
    excludes, are living and not the example; None where all are. Raises BadFilter."""
    masks = [segment.columns.allowed(filters), segment.columns.allowed(parsed.reading.filters)]
    masks += [segment.lexical.having(phrase) for phrase in parsed.query_words.phrases]
    masks += [~segment.lexical.having(phrase, in_body=False) for phrase in parsed.query_words.excluded]
    given = [mask for mask in masks if mask is not None]
    allowed = np.logical_and.reduce(given) if given else None
    excluded = segment.row_of(parsed.excluded_id) if parsed.excluded_id is not None else None
    if segment.dead.any():
        allowed = ~segment.dead if allowed is None else allowed & ~segment.dead
    if excluded is not None:
        allowed = np.ones(len(segment.ids), bool) if allowed is None else allowed.copy()
        allowed[excluded] = False
    return allowed
