"""Reads queries by what is searchable now: the facts of the segments, the words of the generation."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.text.query_words import alternatives_of, analyse_query, phrase_of
from magpie.search.live_index.segment import Segment
from magpie.search.query.catalogue_facts import CatalogueFacts, ColumnFacts, gather_facts
from magpie.search.query.reading import Reading, ReadingOptions, read_query
from magpie.search.query.spelling import Speller
from magpie.search.query.synonyms import Synonyms, built_in_groups, by_forms
from magpie.search.request import SearchRequest

_REMEMBERED_WORDS = 20_000
_ALSO_TYPED = "en"  # in shops of any language


class QueryReader:
    """Reads queries for the generation with this lexical index, to whose words misspelt ones are put right. Safe to
    share among threads."""

    def __init__(self, index: LexicalIndex) -> None:
        self._index = index
        self._stems = lru_cache(_REMEMBERED_WORDS)(self._analyse)
        self._of_columns: dict[Columns, ColumnFacts] = {}
        self._facts: tuple[tuple[LexicalIndex, ...], CatalogueFacts] | None = None

    def read(self, request: SearchRequest, segments: Sequence[Segment], example: Mapping[str, float]) -> Reading:
        """The reading of the request's words; `example` are the numbers of the item that it gives to resemble."""
        options = ReadingOptions(request.read, request.correct, request.literal, example)
        return read_query(request.text.strip(), self.facts_of(segments), self._speller, options)

    def spelt(self, text: str, segments: Sequence[Segment]) -> str:
        """The text with misspelt words put right, and nothing else read."""
        return read_query(text, self.facts_of(segments), self._speller, ReadingOptions(read=False)).words

    def facts_of(self, segments: Sequence[Segment]) -> CatalogueFacts:
        """The facts of these segments, gathered anew for those that changed."""
        indexes, columns = tuple(each.lexical for each in segments), [each.columns for each in segments]
        before, known = self._facts, self._of_columns
        if before is not None and before[0] == indexes and all(each in known for each in columns):
            return before[1]
        statistics = CollectionStatistics((each.lexical, each.dead) for each in segments)
        self._of_columns = {each: known.get(each) or gather_facts(each, self._stems) for each in columns}
        facts = CatalogueFacts(
            segments=[*self._of_columns.values()],
            knows=lambda word: self._knows(statistics, word),
            has=lambda text: self._has(statistics, text),
            stems=self._stems,
            synonyms=self._synonyms,
        )
        self._facts = (indexes, facts)
        return facts

    @cached_property
    def _speller(self) -> Speller:
        return Speller(dict(self._index.words()), [*dict.fromkeys([*self._index.language_codes, _ALSO_TYPED])])

    @cached_property
    def _synonyms(self) -> Synonyms:
        languages = dict.fromkeys([*self._index.language_codes, _ALSO_TYPED])
        return by_forms([group for code in languages for group in built_in_groups().get(code, ())], self._stems)

    def _analyse(self, text: str) -> Sequence[str]:
        phrase = phrase_of(text, self._index.languages)
        return phrase.sequences[0] if phrase else ()

    def _knows(self, statistics: CollectionStatistics, word: str) -> bool:
        return not statistics.look_up(analyse_query(word, self._index.languages)).unknown

    def _has(self, statistics: CollectionStatistics, text: str) -> bool:
        return any(statistics.frequency(one) for one in alternatives_of(text, self._index.languages))
