"""A question → candidates: the nearest rows of the dense index and the best of the lexical one, within the filters."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from magpie.indexer.indexes.lexical_index import LexicalMatches
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.live_index.segment import Segment
from magpie.search.query.negation import split_negated
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import FilterValue
from magpie.search.retrieval.missing_parts import limit_wordless
from magpie.search.retrieval.scoring import Candidates, compare, rank
from magpie.search.thread_pool import ThreadPool

_NOTHING_NEAR = Neighbours(np.zeros(0, np.int64), np.zeros(0, np.float32))
_NO_MATCHES = LexicalMatches(np.zeros(0, np.int64), np.zeros(0, np.float32))
_beside = ThreadPool("magpie-words")


@dataclass(frozen=True)
class Lookup:
    """Each segment's rows that may be answers, and the words being looked up among them by another thread."""

    allowed: Sequence[np.ndarray | None]
    matches: Future[list[LexicalMatches]]


def look_up(
    segments: Sequence[Segment],
    words: str,
    right_words: frozenset[str],
    filters: Mapping[str, FilterValue],
    depth: int,
    excluded_id: int | None = None,
) -> Lookup:
    """Begins to look the words up: whoever asks goes on meanwhile. Raises BadFilter."""
    allowed = [allowed_rows(segment, filters, excluded_id) for segment in segments]

    def match_all() -> list[LexicalMatches]:
        return [_match(s, words, right_words, depth, rows) for s, rows in zip(segments, allowed, strict=True)]

    return Lookup(allowed, _beside.submit(match_all))


def retrieve(
    segments: Sequence[Segment],
    parsed: ParsedQuery,
    filters: Mapping[str, FilterValue],
    depth: int,
    lookup: Lookup | None = None,
) -> list[tuple[Candidates, LexicalMatches]]:
    """Each segment's best `depth` or more rows for the question, ranked, and what the words alone matched.

    A `lookup` of the question's words that was begun before saves the time that it had.
    """
    if parsed.is_browsing:
        everything = [allowed_rows(segment, filters, parsed.excluded_id) for segment in segments]
        return [(_everything(s, rows), _NO_MATCHES) for s, rows in zip(segments, everything, strict=True)]
    right = parsed.right_words
    lookup = lookup or look_up(segments, parsed.words, right, filters, depth, parsed.excluded_id)
    allowed = lookup.allowed
    nearest = [_nearest(s, parsed, depth, rows) for s, rows in zip(segments, allowed, strict=True)]
    matches = lookup.matches.result()
    # how well words serve a question does not depend on its filters
    best = [_match(s, parsed.words, right, 1, None) for s in segments] if filters else matches
    served = max((float(found.scores[0]) for found in best if len(found.scores)), default=0.0)
    ranked = []
    for segment, rows, found, near in zip(segments, allowed, matches, nearest, strict=True):
        avoided = _match_any(segment, split_negated(parsed.not_words), right, depth, rows)
        ranked.append((rank(segment, parsed, near, found, avoided, served), found))
    return ranked


def _match(
    segment: Segment, words: str, right_words: frozenset[str], depth: int, allowed: np.ndarray | None
) -> LexicalMatches:
    return segment.lexical.search(words, depth, allowed, right_words) if words else _NO_MATCHES


def _match_any(
    segment: Segment, things: Sequence[str], right_words: frozenset[str], depth: int, allowed: np.ndarray | None
) -> LexicalMatches:
    """What has any of the things, each row with its best score."""
    if not things:
        return _NO_MATCHES
    found = [_match(segment, words, right_words, depth, allowed) for words in things]
    if len(found) == 1:
        return found[0]
    rows = np.unique(np.concatenate([_NO_MATCHES.rows, *(matches.rows for matches in found)]))
    scores = np.zeros(len(rows), np.float32)
    for matches in found:
        at = np.searchsorted(rows, matches.rows)
        scores[at] = np.maximum(scores[at], matches.scores)
    order = np.argsort(-scores, kind="stable")
    return LexicalMatches(rows[order], scores[order])


def _nearest(segment: Segment, parsed: ParsedQuery, depth: int, allowed: np.ndarray | None) -> Neighbours:
    """The nearest `depth` rows; with an example those of each part, as one list."""
    if parsed.vector is None:
        return _NOTHING_NEAR
    if parsed.more_like_this is None:
        near = segment.indexes[parsed.source].search(parsed.vector, depth, allowed)
        names_little = parsed.negation is not None or parsed.shows_picture
        if not names_little or parsed.source != "fused":
            return near
        return limit_wordless(segment, parsed.vector, near)
    by_part = parsed.more_like_this.vectors.items()
    rows = np.unique(np.concatenate([segment.indexes[name].search(v, depth, allowed).rows for name, v in by_part]))
    return Neighbours(rows, compare(segment, parsed, rows))


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


def _everything(segment: Segment, allowed: np.ndarray | None) -> Candidates:
    """All allowed rows, the newest first."""
    rows = np.arange(len(segment.ids)) if allowed is None else np.flatnonzero(allowed)
    zeros = np.zeros(len(rows), np.float32)
    return Candidates(segment, rows[::-1], zeros, zeros, zeros)
