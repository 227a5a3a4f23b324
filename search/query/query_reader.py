"""Reads queries by what is searchable now: the facts of the segments, the words of the generation."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.column_types import WordColumn
from magpie.indexer.indexes.lexical_index import LexicalIndex, stem_words
from magpie.search.live_index.segment import Segment
from magpie.search.query.catalogue_facts import CatalogueFacts, gather_facts
from magpie.search.query.reading import Reading, ReadingOptions, read_query
from magpie.search.query.spelling import Speller
from magpie.search.request import SearchRequest

_LANGUAGES = ("en",)
_WORD = re.compile(r"[^\W\d_]{3,}")


class QueryReader:
    """Reads queries for one generation. Safe to share among threads."""

    def __init__(self, columns: Columns) -> None:
        self._speller = Speller(_word_counts(columns), _LANGUAGES)
        self._facts: tuple[tuple[LexicalIndex, ...], tuple[Columns, ...], CatalogueFacts] | None = None

    def read(self, request: SearchRequest, segments: Sequence[Segment], example: Mapping[str, float]) -> Reading:
        """The reading of the request's words; `example` are the numbers of the item that it gives to resemble."""
        options = ReadingOptions(request.read, request.correct, request.literal, example)
        return read_query(request.text.strip(), self._facts_of(segments), self._speller, options)

    def spelt(self, text: str, segments: Sequence[Segment]) -> str:
        """The text with misspelt words put right, and nothing else read."""
        options = ReadingOptions(read=False)
        return read_query(text, self._facts_of(segments), self._speller, options).words

    def _facts_of(self, segments: Sequence[Segment]) -> CatalogueFacts:
        """The facts of these segments, gathered anew where one of them changed."""
        indexes, columns = tuple(each.lexical for each in segments), tuple(each.columns for each in segments)
        facts = self._facts
        if facts is None or facts[:2] != (indexes, columns):
            facts = self._facts = (
                indexes,
                columns,
                gather_facts(columns, lambda word: knows(indexes, word), stem_words),
            )
        return facts[2]


def knows(indexes: Sequence[LexicalIndex], word: str) -> bool:
    """Whether an item of these indexes has the word in any of its forms."""
    return any(not index.search(word, 1, None, (word,)).unknown for index in indexes)


@lru_cache(maxsize=4)
def _word_counts(columns: Columns) -> Mapping[str, int]:
    """The distinct words of titles and short attribute values, with the number of items that have them."""
    counts: dict[str, int] = {}
    for name in columns.names:
        column = columns[name]
        if not isinstance(column, WordColumn):
            continue
        for text, count in zip(column.vocabulary, column.value_counts.tolist(), strict=True):
            for word in set(_WORD.findall(text.casefold())):
                counts[word] = counts.get(word, 0) + count
    return counts
