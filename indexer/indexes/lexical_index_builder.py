"""Builds a lexical index: gathers the tokens of documents, then works out the impact of each term on each row.

Impacts are those of BM25F (Robertson, Zaragoza and Taylor 2004): the occurrences of a term in all fields together,
each weighted by its field and the field's length, saturated once.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from magpie.indexer.indexes.lexical_index import BODY, BREAK, FIELDS, LexicalArrays, LexicalIndex
from magpie.indexer.text.analysis import TokenTerms, analyse_token
from magpie.indexer.text.compounds import Compounds, has_compounds
from magpie.indexer.text.languages import guess_language
from magpie.indexer.text.tokens import split_tokens

FIELD_WEIGHTS = {"title": 2.0, "attributes": 2.0, "category": 2.0, "body": 0.5}
LENGTH_INFLUENCE = {"title": 0.5, "attributes": 0.5, "category": 0.5, "body": 0.75}  # b of BM25
SATURATION = 1.2  # k1 of BM25
_CHUNK_TOKENS = 1_000_000
_MARKS = {("", "\n"): 0, ("", "\f"): 1}  # tokens that stand for BREAK and BODY
_FEWEST_OF_LANGUAGE = 0.01  # share of the items from which queries are read in an item's own language, too


@dataclass(frozen=True)
class _Expansion:
    """What each of k tokens stands for: terms in CSR form, (k + 1,) starts, with the weight of each occurrence."""

    starts: np.ndarray
    terms: np.ndarray
    weights: np.ndarray

    def of(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For (t,) tokens the places of their terms, one after the other, and for each the place of its token."""
        lengths = (self.starts[1:] - self.starts[:-1])[tokens]
        owners = np.repeat(np.arange(len(tokens)), lengths)
        before = np.cumsum(lengths) - lengths
        return np.arange(len(owners)) + (self.starts[tokens] - before)[owners], owners


class LexicalIndexBuilder:
    """Gathers documents; a document's row is its place in order.

    `like` is the index of the generation that the documents belong to: theirs are its average lengths and its language,
    so that a score does not depend on the index that an item is in. `language` is the code of most items' language, ""
    to guess it from their words.
    """

    def __init__(self, like: LexicalIndex | None = None, language: str = "") -> None:
        self._like, self._language = like, language
        self._numbers: dict[tuple[str, str], int] = dict(_MARKS)
        self._by_language: dict[str, dict[str, int]] = {}
        self._tokens, self._ends = array("i"), array("q")
        self._languages: list[str] = []

    def add(self, fields: Mapping[str, str], language: str = "") -> None:
        """Appends one document, its text by field; lines of a field are values apart. `language` is its own."""
        numbers, tokens = self._by_language.setdefault(language, {}), self._tokens
        for name in FIELDS:
            if name == FIELDS[-1] and fields.get(name):
                tokens.append(1)
            for line in fields.get(name, "").split("\n"):
                for token in split_tokens(line):
                    number = numbers.get(token)
                    if number is None:
                        number = numbers[token] = self._numbers[language, token] = len(self._numbers)
                    tokens.append(number)
                if tokens and tokens[-1]:
                    tokens.append(0)
            self._ends.append(len(tokens))
        self._languages.append(language)

    def finish(self) -> LexicalIndex:
        """The index of what was added."""
        tokens = np.frombuffer(self._tokens, np.int32) if self._tokens else np.zeros(0, np.int32)
        ends = (
            np.frombuffer(self._ends, np.int64).reshape(-1, len(FIELDS)) if self._ends else np.zeros((0, 4), np.int64)
        )
        counts = np.bincount(tokens, minlength=len(self._numbers))
        codes = self._language_codes(counts)
        vocabulary, sequences, others = self._expand(codes[0])
        lengths = _field_lengths(tokens, ends, sequences)
        averages = self._like.average_lengths if self._like else _average_lengths(lengths)
        words = self._count_words(counts)
        row_starts, sequence = _sequence(tokens, ends, sequences)
        postings = _postings(tokens, ends, (sequences, others), _length_factors(lengths, averages), len(vocabulary))
        arrays = LexicalArrays(
            *_packed(vocabulary),
            *postings,
            row_starts,
            sequence,
            *_packed(sorted(words, key=str.encode)),
            word_counts=np.array([words[word] for word in sorted(words, key=str.encode)], np.int64),
        )
        return LexicalIndex(arrays, averages, codes)

    def _language_codes(self, counts: np.ndarray) -> tuple[str, ...]:
        if self._like:
            return self._like.language_codes
        usual = self._language or guess_language(self._count_words(counts).items())
        of_items = {code: self._languages.count(code) for code in self._by_language if code and code != usual}
        several = [code for code, n in of_items.items() if n >= _FEWEST_OF_LANGUAGE * len(self._languages)]
        return (usual, *sorted(several, key=lambda code: -of_items[code]))

    def _count_words(self, counts: np.ndarray) -> dict[str, int]:
        """How often each token that is a word occurs."""
        words: dict[str, int] = {}
        for (_, token), count in zip(self._numbers, counts.tolist(), strict=True):
            if token.isalpha():
                words[token] = words.get(token, 0) + count
        return words

    def _expand(self, usual: str) -> tuple[list[str], _Expansion, _Expansion]:
        """The terms in ascending order of their bytes, and what each token stands for: its sequence, its others."""
        own = [token for _, token in self._numbers if token.isalpha()]
        languages = {code or usual for code, _ in self._numbers}
        splits = {code: Compounds(code, own).split for code in languages if has_compounds(code)}
        analysed = [
            analyse_token(token, code or usual, splits.get(code or usual)) if token.strip() else TokenTerms((), ())
            for code, token in self._numbers
        ]
        terms = {term for each in analysed for term in (*each.sequence, *(other for other, _ in each.others))}
        vocabulary = sorted(terms, key=str.encode)
        places = {term: place for place, term in enumerate(vocabulary)}
        sequences = [[(places[term], 1.0) for term in each.sequence] for each in analysed]
        sequences[: len(_MARKS)] = [[(BREAK, 0.0)], [(BODY, 0.0)]]
        return vocabulary, _csr(sequences), _csr([[(places[t], w) for t, w in each.others] for each in analysed])


def _csr(several: list[list[tuple[int, float]]]) -> _Expansion:
    starts = np.cumsum([0, *map(len, several)])
    flat = [pair for each in several for pair in each]
    return _Expansion(
        starts, np.array([term for term, _ in flat], np.int64), np.array([weight for _, weight in flat], np.float32)
    )


def _packed(words: list[str]) -> tuple[bytes, np.ndarray]:
    encoded = [word.encode() for word in words]
    return b"".join(encoded), np.cumsum([0, *map(len, encoded)])


def _field_lengths(tokens: np.ndarray, ends: np.ndarray, sequences: _Expansion) -> np.ndarray:
    """(n, fields) numbers of terms in the sequences of the fields."""
    lengths = np.diff(sequences.starts)
    lengths[: len(_MARKS)] = 0
    total = np.concatenate([[0], np.cumsum(lengths[tokens])])
    return np.diff(total[ends.ravel()], prepend=0).reshape(ends.shape)


def _average_lengths(lengths: np.ndarray) -> dict[str, float]:
    """The mean number of terms by field, of the documents that have the field."""
    filled = np.maximum(1, np.count_nonzero(lengths, axis=0))
    return {name: float(mean) for name, mean in zip(FIELDS, lengths.sum(axis=0) / filled, strict=True)}


def _length_factors(lengths: np.ndarray, averages: Mapping[str, float]) -> np.ndarray:
    """(n, fields) float32: what one occurrence in each field counts, by the field's weight and length."""
    weights = np.array([FIELD_WEIGHTS[name] for name in FIELDS])
    influence = np.array([LENGTH_INFLUENCE[name] for name in FIELDS])
    usual = np.array([averages[name] or 1.0 for name in FIELDS])
    return np.asarray(weights / (1 - influence + influence * lengths / usual), np.float32)


def _sequence(tokens: np.ndarray, ends: np.ndarray, sequences: _Expansion) -> tuple[np.ndarray, np.ndarray]:
    """(n + 1,) starts of the rows in the (t,) int32 sequence of terms, and the sequence."""
    places, _ = sequences.of(tokens)
    total = np.concatenate([[0], np.cumsum(np.diff(sequences.starts)[tokens])])
    return np.concatenate([[0], total[ends[:, -1]]]), sequences.terms[places].astype(np.int32)


def _postings(
    tokens: np.ndarray, ends: np.ndarray, expansions: tuple[_Expansion, ...], factors: np.ndarray, num_terms: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m + 1,) starts, (p,) int32 rows and (p,) float16 impacts of the postings, by term and row."""
    chunks = [_postings_of(tokens, ends, rows, expansions, factors) for rows in _chunks(ends)]
    counts = [np.bincount(terms, minlength=num_terms) for terms, _, _ in chunks]
    starts = np.concatenate([[0], np.cumsum(sum(counts, np.zeros(num_terms, np.int64)))])
    rows, impacts = np.zeros(starts[-1], np.int32), np.zeros(starts[-1], np.float16)
    filled = starts[:-1].copy()
    for (terms, of_rows, of_impacts), count in zip(chunks, counts, strict=True):
        before = np.cumsum(count) - count
        places = np.arange(len(terms)) + (filled - before)[terms]
        rows[places], impacts[places] = of_rows, of_impacts
        filled += count
    return starts, rows, impacts


def _chunks(ends: np.ndarray) -> Iterator[range]:
    """Ranges of rows of about a million tokens each."""
    start = 0
    while start < len(ends):
        before = ends[start - 1, -1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends[:, -1], before + _CHUNK_TOKENS)))
        yield range(start, end)
        start = end


def _postings_of(
    tokens: np.ndarray, ends: np.ndarray, rows: range, expansions: tuple[_Expansion, ...], factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(p,) terms, rows and float32 impacts of the documents in these rows, by term and row."""
    start = int(ends[rows.start - 1, -1]) if rows.start else 0
    of_rows = ends[rows.start : rows.stop]
    lengths = np.diff(of_rows.ravel(), prepend=start)
    fields = np.repeat(np.arange(of_rows.size), lengths)  # numbered through all rows of the chunk
    chunk = tokens[start : int(of_rows[-1, -1])]
    keys, counted = [], []
    for expansion in expansions:
        places, owners = expansion.of(chunk)
        of_fields = fields[owners]
        row = of_fields // len(FIELDS)
        keys.append(expansion.terms[places] * len(rows) + row)
        counted.append(expansion.weights[places] * factors[rows.start + row, of_fields % len(FIELDS)])
    all_keys, all_counted = np.concatenate(keys), np.concatenate(counted)
    is_term = all_keys >= 0
    found, place = np.unique(all_keys[is_term], return_inverse=True)
    frequency = np.bincount(place, all_counted[is_term], len(found))
    terms, row = np.divmod(found, len(rows))
    return terms, row + rows.start, _saturated(frequency) / _saturated(np.array(FIELD_WEIGHTS["title"]))


def _saturated(frequency: np.ndarray) -> np.ndarray:
    """(p,) what so many weighted occurrences count (Robertson and Zaragoza 2009, eq. 3.15)."""
    return np.asarray(frequency * (SATURATION + 1) / (frequency + SATURATION))
