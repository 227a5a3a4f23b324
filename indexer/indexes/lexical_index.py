"""The lexical index: finds the items that have a query's words, and scores each of them exactly (BM25F).

A posting holds the impact of a term on a row, worked out when the index is built; a search adds up the impacts, each
times the term's inverse document frequency, which `collection_statistics` counts over all segments.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magpie.indexer.indexes.fast_arrays import widened
from magpie.indexer.text.compounds import Compounds, has_compounds
from magpie.indexer.text.query_words import Alternative, Languages, Phrase

if TYPE_CHECKING:
    from magpie.indexer.indexes.collection_statistics import LookedUp

FIELDS = ("title", "attributes", "category", "body")
BREAK = -1  # in a sequence, between values and fields: no phrase goes across
BODY = -2  # in a sequence, before the body, which is the last field
_REMEMBERED_PHRASES = 2_000
_FORMAT = 1
_TEXTS = ("terms", "words")
_ARRAYS = ("term_starts", "starts", "rows", "impacts", "row_starts", "sequence", "word_starts", "word_counts")


@dataclass(frozen=True)
class LexicalMatches:
    """The rows that match a query's words, (n,) int64 ascending, with their scores (n,) float32.

    A score is the BM25 sum divided by that of an item with all the known words in a title of usual length, so it is
    about 1 for such an item; words that no item has take no part. `coverage` (n,) float32 is the share of the known
    words that a row has, by their rarity, wherever they stand. `words` are the query's words as typed and `unknown`
    those that no item has; `known_share` is the share of the known ones, weighted by rarity, stop words left out.
    """

    rows: np.ndarray
    scores: np.ndarray
    coverage: np.ndarray
    words: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    known_share: float = 0.0

    def where(self, kept: np.ndarray) -> "LexicalMatches":
        """Those of the matches where `kept` ((n,) bool) holds."""
        return replace(self, rows=self.rows[kept], scores=self.scores[kept], coverage=self.coverage[kept])

    @property
    def best(self) -> float:
        """The best score, 0 without matches."""
        return float(self.scores.max(initial=0.0))


NO_MATCHES = LexicalMatches(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))


class SortedWords(Sequence[bytes]):
    """Words in UTF-8, in ascending order, as one run of bytes: (m + 1,) `starts` say where each begins."""

    def __init__(self, text: bytes, starts: np.ndarray) -> None:
        self._text, self._starts = text, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, place: int) -> bytes:  # type: ignore[override]
        return self._text[self._starts[place] : self._starts[place + 1]]

    def find(self, word: str) -> int:
        """The place of a word, -1 where it is not here."""
        wanted = word.encode()
        place = bisect_left(self, wanted)
        return place if place < len(self) and self[place] == wanted else -1

    def beginning_with(self, prefix: str) -> range:
        """The places of the words that begin with a prefix."""
        wanted = prefix.encode()
        return range(bisect_left(self, wanted), bisect_left(self, wanted + b"\xff"))


@dataclass(frozen=True)
class LexicalArrays:
    """The arrays of an index of n rows and m terms.

    The postings of term t are `rows[starts[t]:starts[t + 1]]` (ascending int32) with `impacts` (float16, 1 for one
    occurrence in a title of usual length). `sequence[row_starts[r]:row_starts[r + 1]]` are the terms of row r in order.
    `terms` and `words` (the words as the items have them, in lower case, with `word_counts`) are UTF-8 in ascending
    order, beginning at `term_starts` and `word_starts`.
    """

    terms: bytes
    term_starts: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    impacts: np.ndarray
    row_starts: np.ndarray
    sequence: np.ndarray
    words: bytes
    word_starts: np.ndarray
    word_counts: np.ndarray


class LexicalIndex:
    """A lexical index opened for reading; safe to use from many threads.

    `average_lengths` are the mean numbers of terms of the fields, `languages` the codes of the items' languages, the
    usual one first.
    """

    def __init__(self, arrays: LexicalArrays, average_lengths: Mapping[str, float], languages: tuple[str, ...]) -> None:
        self._arrays = arrays
        self._terms = SortedWords(arrays.terms, arrays.term_starts)
        self.average_lengths = dict(average_lengths)
        self.language_codes = languages
        self._phrase = lru_cache(_REMEMBERED_PHRASES)(self._find_phrase)

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """The index that `save` wrote; its arrays are mapped from disk. Raises OSError, ValueError, KeyError."""
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        loaded: dict[str, Any] = {name: (folder / f"{name}.bin").read_bytes() for name in _TEXTS}
        loaded |= {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
        return cls(LexicalArrays(**loaded), about["average_lengths"], tuple(about["languages"]))

    def save(self, folder: Path) -> None:
        """Writes the index into a new folder."""
        folder.mkdir(parents=True)
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self._arrays, name))
        for name in _TEXTS:
            (folder / f"{name}.bin").write_bytes(getattr(self._arrays, name))
        about = {"format": _FORMAT, "average_lengths": self.average_lengths, "languages": self.language_codes}
        (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")

    @property
    def num_rows(self) -> int:
        return len(self._arrays.row_starts) - 1

    @cached_property
    def languages(self) -> Languages:
        """The languages by which queries are analysed; compounds are split by the words of this index, too."""
        own = [word for word, _ in self.words()] if any(map(has_compounds, self.language_codes)) else []
        return Languages(self.language_codes, tuple(Compounds(code, own) for code in self.language_codes))

    def words(self) -> Iterator[tuple[str, int]]:
        """The words as items have them, in lower case, with how often they occur; in order of their bytes."""
        places = SortedWords(self._arrays.words, self._arrays.word_starts)
        return ((places[k].decode(), n) for k, n in enumerate(self._arrays.word_counts.tolist()))

    def terms_beginning_with(self, prefix: str, most: int) -> list[str]:
        """At most `most` terms that begin with a prefix, those of the most rows first."""
        found = self._terms.beginning_with(prefix)
        sizes = np.diff(self._arrays.starts[found.start : found.stop + 1])
        return [self._terms[found.start + at].decode() for at in np.argsort(-sizes, kind="stable")[:most].tolist()]

    def frequency(self, alternative: Alternative, dead: np.ndarray | None) -> int:
        """The number of rows that have this alternative, without those that are `dead` ((n,) bool)."""
        rows, _ = self._postings(alternative)
        return len(rows) if dead is None else len(rows) - int(np.count_nonzero(dead[rows]))

    def match(self, query: "LookedUp") -> LexicalMatches:
        """The rows that match a query, with their scores."""
        scores, coverage = np.zeros(self.num_rows, np.float32), np.zeros(self.num_rows, np.float32)
        for word in query.words:
            found = [(alternative.weight, *self._postings(alternative)) for alternative in word.alternatives]
            found = [each for each in found if len(each[1])]
            if not found:
                continue
            rows, impacts = _best_impacts(found, self.num_rows)
            scores[rows] += np.float32(word.idf) * impacts
            if not word.is_optional:
                coverage[rows] += np.float32(word.idf)
        for terms, gain in query.pairs:
            scores[self._phrase(terms)] += np.float32(gain)
        matches = coverage > 0 if query.has_needed_words else np.full(self.num_rows, bool(query.phrases))
        if (having := self.having_phrases(query)) is not None:
            matches &= having
        rows = np.flatnonzero(matches)
        shares = scores[rows] / np.float32(query.attainable or 1.0)
        covered = coverage[rows] / np.float32(query.needed or 1.0) if query.has_needed_words else np.ones_like(shares)
        return LexicalMatches(rows, shares, covered, query.texts, query.unknown, query.known_share)

    def having_phrases(self, query: "LookedUp") -> np.ndarray | None:
        """(n,) bool: rows with the phrases that the query needs and none that it excludes; None where any will do."""
        if not query.phrases and not query.excluded:
            return None
        having = np.ones(self.num_rows, bool)
        for phrase in query.phrases:
            having &= self.having(phrase)
        for phrase in query.excluded:
            having &= ~self.having(phrase, in_body=False)
        return having

    def rows_with_all(self, query: "LookedUp") -> np.ndarray:
        """The ascending rows that have every needed word of a query; none where no item has one of them."""
        having = np.full(self.num_rows, not query.unknown)
        for word in query.words:
            if not word.is_optional and having.any():
                has_word = np.zeros(self.num_rows, bool)
                for alternative in word.alternatives:
                    has_word[self._postings(alternative)[0]] = True
                having &= has_word
        return np.flatnonzero(having)

    def having(self, phrase: Phrase, in_body: bool = True) -> np.ndarray:
        """(n,) bool: rows that have the phrase, in their body or, without `in_body`, before it."""
        having = np.zeros(self.num_rows, bool)
        for terms in phrase.sequences:
            having[self._phrase(terms, in_body)] = True
        return having

    def _postings(self, alternative: Alternative) -> tuple[np.ndarray, np.ndarray]:
        """(m,) ascending rows that have an alternative, and (m,) float32 impacts; of a phrase its least one."""
        if len(alternative.terms) == 1:
            return self._postings_of(self._terms.find(alternative.terms[0]))
        rows = self._phrase(alternative.terms)
        if not len(rows):
            return rows, np.zeros(0, np.float32)
        each = [self._postings_of(self._terms.find(term)) for term in alternative.terms]
        return rows, np.min([impacts[np.searchsorted(of_term, rows)] for of_term, impacts in each], axis=0)

    def _postings_of(self, term: int) -> tuple[np.ndarray, np.ndarray]:
        if term < 0:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        start, end = self._arrays.starts[term], self._arrays.starts[term + 1]
        return self._arrays.rows[start:end], widened(self._arrays.impacts[start:end])

    def _find_phrase(self, terms: tuple[str, ...], in_body: bool = True) -> np.ndarray:
        """(m,) ascending rows in which these terms stand side by side in this order, if not `in_body` before it."""
        numbers = [self._terms.find(term) for term in terms]
        if min(numbers, default=-1) < 0:
            return np.zeros(0, np.int32)
        rows = self._postings_of(numbers[0])[0]
        for number in numbers[1:]:
            rows = np.intersect1d(rows, self._postings_of(number)[0], assume_unique=True)
        starts, ends = self._arrays.row_starts[rows], self._arrays.row_starts[rows + 1]
        sequence, owners = _slices(self._arrays.sequence, starts, ends)
        length = len(sequence) - len(numbers) + 1
        if length <= 0:
            return np.zeros(0, np.int32)
        found = owners[:length] == owners[len(numbers) - 1 :]
        for at, number in enumerate(numbers):
            found &= sequence[at : at + length] == number
        if not in_body:
            bodies = np.flatnonzero(sequence == BODY)
            body_from = np.full(len(rows), length)
            body_from[owners[bodies]] = bodies
            found &= np.arange(length) < body_from[owners[:length]]
        return rows[np.unique(owners[:length][found])]


def _slices(values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values from each start to its end, one after the other, and for each the number of its slice."""
    lengths = ends - starts
    owners = np.repeat(np.arange(len(starts)), lengths)
    before = np.cumsum(lengths) - lengths
    return values[np.arange(len(owners)) + (starts - before)[owners]], owners


def _best_impacts(
    found: Sequence[tuple[float, np.ndarray, np.ndarray]], num_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """(m,) distinct rows of several (weight, rows, impacts), and (m,) float32: the best weighted impact on each."""
    weight, rows, impacts = found[0]
    if len(found) == 1:
        return rows, impacts if weight == 1 else np.float32(weight) * impacts
    best = np.zeros(num_rows, np.float32)
    for weight, rows, impacts in found:
        best[rows] = np.maximum(best[rows], np.float32(weight) * impacts)
    rows = np.flatnonzero(best)
    return rows, best[rows]
