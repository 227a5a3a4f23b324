"""A question → candidates: the nearest rows of the dense index and the best of the lexical one, within the filters."""

from collections.abc import Mapping

import numpy as np

from indexer.lexical_index import LexicalMatches
from indexer.vector_index import Neighbours
from search.question import Question
from search.ranking import Candidates, compare, rank
from search.request import FilterValue
from search.segment import Segment

_NOTHING_NEAR = Neighbours(np.zeros(0, np.int64), np.zeros(0, np.float32))
_NO_MATCHES = LexicalMatches(np.zeros(0, np.int64), np.zeros(0, np.float32))


def retrieve(
    segment: Segment, question: Question, filters: Mapping[str, FilterValue], depth: int
) -> tuple[Candidates, LexicalMatches]:
    """The segment's best `depth` or more rows for the question, ranked, and what the words alone matched."""
    allowed = allowed_rows(segment, filters, question.excluded_id)
    if question.is_browsing:
        return _everything(segment, allowed), _NO_MATCHES
    lexical, right = segment.lexical, question.right_words
    matches = lexical.search(question.words, depth, allowed, right) if question.words else _NO_MATCHES
    avoided = lexical.search(question.not_words, depth, allowed, right) if question.not_words else _NO_MATCHES
    return rank(segment, question, _nearest(segment, question, depth, allowed), matches, avoided), matches


def _nearest(segment: Segment, question: Question, depth: int, allowed: np.ndarray | None) -> Neighbours:
    """The nearest `depth` rows; with an example those of each part, as one list."""
    if question.vector is None:
        return _NOTHING_NEAR
    if question.resemblance is None:
        return segment.indexes[question.source].search(question.vector, depth, allowed)
    by_part = question.resemblance.vectors.items()
    rows = np.unique(np.concatenate([segment.indexes[name].search(v, depth, allowed).rows for name, v in by_part]))
    return Neighbours(rows, compare(segment, question, rows))


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
