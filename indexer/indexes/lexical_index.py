"""The lexical index (tantivy): finds the items that have a query's words, misspelt or joined ones too.

The score is the share of the query's words that an item has, each word weighted by its inverse document
frequency and by the field it stands in, plus at most 0.2 from BM25 to order ties. Unlike a bare BM25 score it is
comparable between queries, so it can be weighed against a cosine.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from magpie.indexer.indexes.fast_arrays import best_first

FIELDS = {"title": 1.0, "attributes": 1.0, "body": 0.5}
_ANALYZER = "magpie"
_BM25_SHARE = 0.2
_BM25_SATURATED = 2.2  # k1 + 1: what one very frequent word can contribute per unit of idf
_TYPO_WEIGHT = 0.7
_MAX_QUERY_WORDS = 32
_CJK_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_HYPHENATED = re.compile(r"\b(\w+)[-‐‑](\w+)\b")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
_WRITER_BYTES = 64_000_000
_SMALL_WRITER_BYTES = 16_000_000


@dataclass(frozen=True)
class LexicalMatches:
    """Rows with at least one of the query's words, best first, (n,) int64; scores (n,) float32 in [0, 1.2].

    `words` are the stems of the query's words, `unknown` those that no item has, also not within the edit distance.
    """

    rows: np.ndarray
    scores: np.ndarray
    words: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Word:
    """One word of a query: its stem, its inverse document frequency, and the stems that match it with their weights."""

    stem: str
    idf: float
    variants: tuple[tuple[str, float], ...]


class LexicalIndexBuilder:
    """Writes a lexical index document by document, into an empty folder or (None) into memory.

    A document's row is its place in order.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._index = tantivy.Index(_schema(), path=str(folder) if folder else None)
        self._index.register_tokenizer(_ANALYZER, _analyzer())
        self._writer = self._index.writer(heap_size=_WRITER_BYTES if folder else _SMALL_WRITER_BYTES, num_threads=1)
        self._num_documents = 0

    def add(self, fields: Mapping[str, str]) -> None:
        """Appends one document, its text by field name."""
        document = tantivy.Document()
        document.add_unsigned("row", self._num_documents)
        for name in FIELDS:
            if fields.get(name):
                document.add_text(name, _prepare(_with_joined_words(fields[name])))
        self._writer.add_document(document)
        self._num_documents += 1

    def finish(self) -> "LexicalIndex":
        """Makes what was added durable and readable; nothing can be added afterwards."""
        self._writer.commit()
        self._writer.wait_merging_threads()
        return LexicalIndex(self._index)


class LexicalIndex:
    """A lexical index opened for reading; safe to use from many threads."""

    def __init__(self, index: tantivy.Index) -> None:
        self._analyzer = _analyzer()
        index.register_tokenizer(_ANALYZER, self._analyzer)
        index.reload()
        self._schema = index.schema
        self._searcher = index.searcher()

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """The index that a builder wrote into the folder."""
        return cls(tantivy.Index.open(str(folder)))

    @property
    def num_documents(self) -> int:
        return int(self._searcher.num_docs)

    def search(
        self, text: str, limit: int, allowed: np.ndarray | None = None, right: Iterable[str] = ()
    ) -> LexicalMatches:
        """The `limit` best rows among those where `allowed` ((n,) bool) holds; searches deeper until it has them.

        Words that no item has count as misspelt, except those in `right`: "belts" must not find "felt".
        """
        words = self._words(text, right)
        unknown = tuple(w.stem for w in words if not w.variants)
        stems = tuple(w.stem for w in words)
        query = self._query(words)
        if query is None or limit <= 0:
            return LexicalMatches(np.zeros(0, np.int64), np.zeros(0, np.float32), stems, unknown)
        depth = limit
        while True:
            rows, scores = self._run(query, depth)
            if allowed is None:
                break
            kept = allowed[rows]
            exhausted = len(rows) < depth
            rows, scores = rows[kept][:limit], scores[kept][:limit]
            if exhausted or len(rows) >= limit:
                break
            depth *= 8
        return LexicalMatches(rows, scores, stems, unknown)

    def _run(self, query: tantivy.Query, depth: int) -> tuple[np.ndarray, np.ndarray]:
        hits = self._searcher.search(query, min(depth, max(1, self.num_documents)), count=False).hits
        if not hits:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        scored, addresses = zip(*hits, strict=True)
        rows = np.array(self._searcher.fast_field_values("row", list(addresses)), np.int64)
        scores = np.array(scored, np.float32)
        order = best_first(scores, rows)
        return rows[order], scores[order]

    def _words(self, text: str, right: Iterable[str]) -> list[_Word]:
        stems = list(dict.fromkeys(self._analyzer.analyze(_prepare(text))))[:_MAX_QUERY_WORDS]
        right_stems = set(self._analyzer.analyze(" ".join(right)))
        return self._join_neighbours([self._word(stem, stem in right_stems) for stem in stems])

    def _word(self, stem: str, is_right: bool) -> _Word:
        frequency = self._frequency(stem)
        if frequency:
            return _Word(stem, self._idf(frequency), ((stem, 1.0),))
        if is_right:
            return _Word(stem, self._idf(0), ())
        misspelt = tuple((near, _TYPO_WEIGHT) for near in self._near_words(stem))
        return _Word(stem, self._idf(0), misspelt)

    def _join_neighbours(self, words: list[_Word]) -> list[_Word]:
        """Lets "t shirt" find "tshirt": two words in a row also count as the joined word where the catalogue has it."""
        joined = list(words)
        for k in range(len(words) - 1):
            compound = words[k].stem + words[k + 1].stem
            if self._frequency(compound):
                for at in (k, k + 1):
                    old = joined[at]
                    joined[at] = _Word(old.stem, old.idf, (*old.variants, (compound, 1.0)))
        return joined

    def _near_words(self, stem: str) -> list[str]:
        """The three most frequent words at the smallest edit distance: at most 1, from seven letters on 2."""
        if len(stem) < 4 or not stem.isalpha() or _CJK_RUN.search(stem):
            return []
        reach = 1 if len(stem) < 7 else 2
        near = process.extract(stem, self._vocabulary, scorer=OSA.distance, score_cutoff=reach, limit=10)
        best = [word for word, distance, _ in near if distance == near[0][1]]
        return sorted(best, key=self._frequency, reverse=True)[:3]

    @cached_property
    def _vocabulary(self) -> list[str]:
        terms = {term for name in FIELDS for term, _ in self._searcher.terms_with_prefix(name, "")}
        return sorted(term for term in terms if len(term) > 3 and term.isalpha())

    def _frequency(self, stem: str) -> int:
        return max(int(self._searcher.doc_freq(name, stem)) for name in FIELDS)

    def _idf(self, frequency: int) -> float:
        """Inverse document frequency as in BM25 (Robertson and Zaragoza 2009, eq. 3.3)."""
        return math.log(1 + (self.num_documents - frequency + 0.5) / (frequency + 0.5))

    def _query(self, words: list[_Word]) -> tantivy.Query | None:
        total = sum(word.idf for word in words)
        if not any(word.variants for word in words) or total <= 0:
            return None
        clauses = []
        for word in words:
            share, choices, bm25 = word.idf / total, [], []
            for stem, weight in word.variants:
                for name, field_weight in FIELDS.items():
                    if not self._searcher.doc_freq(name, stem):
                        continue  # a clause that matches nothing still costs time
                    term = tantivy.Query.term_query(self._schema, name, stem)
                    choices.append(tantivy.Query.const_score_query(term, share * weight * field_weight))
                    bm25.append(tantivy.Query.boost_query(term, field_weight * _BM25_SHARE / (_BM25_SATURATED * total)))
            if choices:
                clauses += [(tantivy.Occur.Should, tantivy.Query.disjunction_max_query(choices))]
                clauses += [(tantivy.Occur.Should, tantivy.Query.disjunction_max_query(bm25))]
        return tantivy.Query.boolean_query(clauses)


def stem_words(text: str) -> list[str]:
    """The stems of a text's words in order, without stop words."""
    return list(_shared_analyzer().analyze(_prepare(text)))


@cache
def _shared_analyzer() -> tantivy.TextAnalyzer:
    return _analyzer()


def _prepare(text: str) -> str:
    """The text without possessive endings, and CJK runs as overlapping pairs, ready for the analyzer."""
    if text.isascii():  # nothing else to replace, and a rebuild calls this for every item
        return _POSSESSIVE.sub("", text) if "'" in text else text
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run.group()))} ", _POSSESSIVE.sub("", text))


def _with_joined_words(text: str) -> str:
    """Hyphenated words also as one word and as two."""
    is_hyphenated = "-" in text or not text.isascii()
    return _HYPHENATED.sub(r"\1\2 \1 \2", text) if is_hyphenated else text


def _pairs(run: str) -> list[str]:
    return [run[k : k + 2] for k in range(len(run) - 1)] or [run]


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    for name in FIELDS:
        builder.add_text_field(name, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


def _analyzer() -> tantivy.TextAnalyzer:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(60))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stopword("english"))
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
