"""Candidates → one order: similarity of the vectors plus the words that match, as addends that explain themselves."""

from dataclasses import dataclass

import numpy as np

from indexer.lexical_index import LexicalMatches
from search.question import Question
from search.segment import Segment

_WORDS_WEIGHT = 0.6
_NOT_WORDS_WEIGHT = 0.6


@dataclass(frozen=True)
class Candidates:
    """Rows of one segment in ranking order with their scores, (n,) int64 and (n,) float32; `words` is their share."""

    segment: Segment
    rows: np.ndarray
    scores: np.ndarray
    words: np.ndarray

    def explain(self, place: int, question: Question) -> dict[str, float]:
        """The addends of one candidate's score by source; they sum to the score."""
        row, score = self.rows[place], float(self.scores[place])
        addends = {"lexical": float(self.words[place])}
        direction = question.direction
        if direction is not None:
            similarity = score - addends["lexical"]
            addends |= _similarity_by_part(self.segment, int(row), direction, question.source, similarity)
        return addends


def _similarity_by_part(
    segment: Segment, row: int, direction: np.ndarray, source: str, similarity: float
) -> dict[str, float]:
    if source != "fused":
        return {source: similarity}
    weights = {"text": float(segment.text_weights[row]), "image": 1 - float(segment.text_weights[row])}
    raw = {name: weights[name] * float(segment.parts[name][row].astype(np.float32) @ direction) for name in weights}
    length = np.linalg.norm(sum(weights[name] * segment.parts[name][row].astype(np.float32) for name in weights))
    text = raw["text"] / float(length) if length > 0 else 0.0
    return {"text": text, "image": similarity - text}  # what half-precision rounds away goes to the picture


def words_score(matches: LexicalMatches, weight: float = _WORDS_WEIGHT) -> np.ndarray:
    """(n,) addends of the lexical scores.

    The cube keeps an item that has one word of two from outranking one that looks right: on titles without
    informative words a linear addend costs a tenth of nDCG@10, its cube nothing (docs/relevance.md).
    """
    return np.asarray(weight * matches.scores**3, np.float32)


def rank(
    segment: Segment, question: Question, rows: np.ndarray, matches: LexicalMatches, avoided: LexicalMatches
) -> Candidates:
    """The candidate rows of a segment, best first; ties go to the older item, so that pages are stable."""
    words = np.zeros(len(rows), np.float32)
    if question.source == "lexical":
        words += _at(rows, matches.rows, matches.scores)
    else:
        words += _at(rows, matches.rows, words_score(matches))
    words -= _at(rows, avoided.rows, words_score(avoided, _NOT_WORDS_WEIGHT))
    scores = words
    direction = question.direction
    if direction is not None:
        vectors = segment.fused if question.source == "fused" else segment.parts[question.source]
        scores = words + vectors[rows].astype(np.float32) @ direction
    order = np.lexsort((rows, -scores))
    return Candidates(segment, rows[order], scores[order], words[order])


def _at(rows: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) the values of the rows that are known, zero for the others."""
    result = np.zeros(len(rows), np.float32)
    if len(known):
        order = np.argsort(known)
        place = np.minimum(np.searchsorted(known, rows, sorter=order), len(known) - 1)
        is_known = known[order[place]] == rows
        result[is_known] = values[order[place[is_known]]]
    return result
