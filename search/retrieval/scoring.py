"""Scores the retrieved rows: similarity, plus lexical score, minus negation; the addends explain each score."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from magpie.indexer.indexes.fast_arrays import best_first, widened
from magpie.indexer.indexes.lexical_index import LexicalMatches
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.indexer.mix.mix import Weights
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.candidates import Retrieved
from magpie.search.retrieval.missing_parts import expected_lexical, limit_wordless
from magpie.search.retrieval.same_picture import SamePicture, same_picture

_QUERIES = "queries"  # the addend of the click part, named only where there is one


@dataclass(frozen=True)
class Candidates:
    """The candidates of one segment in ranking order: (n,) int64 `rows`, and (n,) float32 addends of their scores.

    The addends are `similarity`, `words` (lexical) and `avoided` (negation, never positive), each times its weight in
    `weights`.
    """

    segment: Segment
    weights: Weights
    rows: np.ndarray
    similarity: np.ndarray
    words: np.ndarray
    avoided: np.ndarray

    def where(self, kept: np.ndarray) -> "Candidates":
        """Those of the candidates where `kept` ((n,) bool) holds, in the same order."""
        addends = (self.similarity[kept], self.words[kept], self.avoided[kept])
        return Candidates(self.segment, self.weights, self.rows[kept], *addends)

    @cached_property
    def scores(self) -> np.ndarray:
        """(n,) float32 sums of the addends."""
        return self.similarity + self.words + self.avoided

    def explain(self, places: np.ndarray, parsed: ParsedQuery) -> list[dict[str, float]]:
        """The addends of the scores of the candidates at these (n,) places, by source; they sum to each score."""
        addends = {"lexical": self.words[places]}
        if parsed.vector is not None:
            addends |= self._similarity_by_part(places, parsed)
        if parsed.negation is not None or parsed.not_query_words:
            addends["not"] = self.avoided[places]
        explained = [dict(zip(addends, each, strict=True)) for each in np.transpose([*addends.values()]).tolist()]
        return [{name: value for name, value in one.items() if value or name != _QUERIES} for one in explained]

    def _similarity_by_part(self, places: np.ndarray, parsed: ParsedQuery) -> dict[str, np.ndarray]:
        """(n,) addends of the similarities at these (n,) places, by the part of the items that they come from."""
        segment, rows, similarity = self.segment, self.rows[places], self.similarity[places]
        if parsed.source != "fused" or parsed.vector is None:
            return {parsed.source: similarity}
        if parsed.more_like_this is not None:
            return parsed.more_like_this.addends(segment, rows)
        own = segment.own_vectors(rows)
        addends = [segment.click_part.split(int(id_), row)[1] for id_, row in zip(segment.ids[rows], own, strict=True)]
        weight = self.weights.text if segment.has_halves else self.weights.vectors
        from_clicks = weight * np.array([float(addend @ parsed.vector) for addend in addends])
        # einsum adds row by row: a hit is explained alike whatever stands beside it on the page
        text = weight * np.einsum("nd,d->n", segment.text_halves(rows), parsed.vector)
        # the rounding error of float16 goes to the picture
        return {"text": text - from_clicks, "image": similarity - text, _QUERIES: from_clicks}


def avoided_words_score(matches: LexicalMatches) -> np.ndarray:
    """(n,) float32 penalties of the negated words, 0 or more; the cube spares items that have only some of them."""
    return np.asarray(matches.scores**3, np.float32)


def score(parsed: ParsedQuery, retrieved: Sequence[Retrieved]) -> list[Candidates]:
    """The candidates of each segment, the best first; when browsing, all allowed rows, the newest first."""
    if parsed.is_browsing:
        return [_newest_first(found) for found in retrieved]
    same = same_picture(parsed, retrieved)
    return [_score_segment(parsed, found, same) for found in retrieved]


def score_rest(parsed: ParsedQuery, retrieved: Sequence[Retrieved], scored: Sequence[Candidates]) -> list[Candidates]:
    """For each segment the lexical matches that are not among the `scored` candidates, by their words alone."""
    rest = []
    for found, candidates in zip(retrieved, scored, strict=True):
        is_left = np.ones(len(found.segment.ids), bool)
        is_left[candidates.rows] = False
        matches = found.lexical.where(is_left[found.lexical.rows])
        words = matches.scores if parsed.source == "lexical" else np.float32(found.weights.words) * matches.scores
        order, zeros = best_first(words, matches.rows), np.zeros(len(words), np.float32)
        rest.append(Candidates(found.segment, found.weights, matches.rows[order], zeros, words[order], zeros))
    return rest


def _newest_first(found: Retrieved) -> Candidates:
    rows = np.arange(len(found.segment.ids)) if found.allowed is None else np.flatnonzero(found.allowed)
    zeros = np.zeros(len(rows), np.float32)
    return Candidates(found.segment, found.weights, rows[::-1], zeros, zeros, zeros)


def _score_segment(parsed: ParsedQuery, found: Retrieved, same: SamePicture | None) -> Candidates:
    """The candidates of one segment: its neighbours and lexical matches, the best first, ties to the older item."""
    segment, matches, avoided, weights = found.segment, found.scored, _best_of_each(found.negated), found.weights
    near = _similarities(parsed, found, same)
    is_lexical = parsed.source == "lexical"
    place = _places(matches.rows, near.rows)
    is_near = place >= 0
    is_other = ~is_near
    others, num_near = matches.rows[is_other], len(near.rows)
    rows = np.concatenate([near.rows, others])
    matched = matches.scores if is_lexical else np.float32(weights.words) * matches.scores
    words = np.zeros(len(rows), np.float32)
    words[place[is_near]] = matched[is_near]
    words[num_near:] = matched[is_other]
    against = np.zeros(len(rows), np.float32)
    if len(avoided.rows):
        against -= _at(rows, avoided.rows, avoided.scores if is_lexical else avoided_words_score(avoided))
    similarity = np.zeros(len(rows), np.float32)
    if parsed.vector is not None:
        similarity[:num_near] = near.scores
        similarity[num_near:] = compare(segment, parsed, weights, others)
        if parsed.words and segment.has_wordless:
            is_wordless = segment.is_wordless[near.rows]
            words[:num_near] = expected_lexical(words[:num_near], near.scores, is_wordless)
        if parsed.negation is not None:
            # in proportion to what else counts: a title with the right word must not outweigh the wrong colour
            penalties = parsed.negation.penalties(_own_vectors(segment, parsed, rows)).astype(np.float32)
            against -= penalties * (np.float32(weights.vectors) + words)
    order = best_first(similarity + words + against, rows)
    return Candidates(segment, weights, rows[order], similarity[order], words[order], against[order])


def _similarities(parsed: ParsedQuery, found: Retrieved, same: SamePicture | None) -> Neighbours:
    """The neighbours with their similarities; wordless items are calibrated where they would crowd the others out, and
    items with the very picture that was uploaded are lifted."""
    if parsed.vector is None:
        return Neighbours(np.zeros(0, np.int64), np.zeros(0, np.float32))
    if parsed.more_like_this is not None:
        rows = np.unique(np.concatenate([near.rows for near in found.neighbours.values()]))
        return Neighbours(rows, compare(found.segment, parsed, found.weights, rows))
    near = found.neighbours[parsed.source]
    is_calibrated = parsed.source == "fused" and (parsed.negation is not None or parsed.shows_picture)
    if not is_calibrated:
        return near
    query = found.segment.fused_query(parsed.vector, found.weights.text, found.weights.image)
    near = limit_wordless(found.segment, query, near)
    if same is None:
        return near
    return same.lift(near, found.neighbours["image"], lambda rows: compare(found.segment, parsed, found.weights, rows))


def _best_of_each(matches: Sequence[LexicalMatches]) -> LexicalMatches:
    """The distinct rows of all matches, each with its best score."""
    rows = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.rows for one in matches)]))
    scores = np.zeros(len(rows), np.float32)
    for one in matches:
        at = np.searchsorted(rows, one.rows)
        scores[at] = np.maximum(scores[at], one.scores)
    return LexicalMatches(rows, scores, np.ones_like(scores))


def compare(segment: Segment, parsed: ParsedQuery, weights: Weights, rows: np.ndarray) -> np.ndarray:
    """(n,) float32 weighted similarities of these (n,) rows with the query, 0 where it has no vector."""
    if parsed.more_like_this is not None:
        return parsed.more_like_this.similarity(segment, rows)
    if parsed.vector is None:
        return np.zeros(len(rows), np.float32)
    if parsed.source == "fused":
        query = segment.fused_query(parsed.vector, weights.text, weights.image)
        return np.asarray(widened(segment.fused.take(rows, axis=0)) @ query)
    return np.asarray(widened(segment.parts[parsed.source].take(rows, axis=0)) @ parsed.vector)


def _own_vectors(segment: Segment, parsed: ParsedQuery, rows: np.ndarray) -> np.ndarray:
    """(n, dim) float32 vectors of these (n,) rows, of the part that the query is compared with, or of all parts."""
    return segment.own_vectors(rows) if parsed.source == "fused" else widened(segment.parts[parsed.source][rows])


def _at(rows: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) for each of `rows` the value that belongs to it in `known`, zero where it is not there."""
    result = np.zeros(len(rows), np.float32)
    place = _places(rows, known)
    result[place >= 0] = values[place[place >= 0]]
    return result


def _places(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(n,) the place of each row in `among`, -1 where it is not there."""
    if not len(among):
        return np.full(len(rows), -1)
    order = np.argsort(among)
    place = order[np.minimum(np.searchsorted(among, rows, sorter=order), len(among) - 1)]
    return np.where(among[place] == rows, place, -1)
