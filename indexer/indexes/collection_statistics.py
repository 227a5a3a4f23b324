"""Statistics of a collection of several lexical indexes: how many living items have a term, whichever index holds them.

A term weighs the same for all items, and a change that moves an item from one index to another moves no score.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.text.query_words import Alternative, Phrase, QueryWord, QueryWords
from magpie.indexer.text.tokens import strip_marks

SIDE_BY_SIDE = 0.1  # of the weights of two words that an item has side by side
_REMEMBERED_TERMS = 20_000
_MOST_CONTINUATIONS = 50  # terms that a word with `is_prefix` may go on to


@dataclass(frozen=True)
class KnownWord:
    """A query's word that an item has: the alternatives that there are, and the weighted inverse document frequency."""

    text: str
    alternatives: tuple[Alternative, ...]
    idf: float
    is_optional: bool


@dataclass(frozen=True)
class LookedUp:
    """A query as the collection knows it: its known words, and phrases as they were asked.

    `pairs` are terms with what an item gains that has them side by side in this order. `texts` are all words but stop
    words, `unknown` those that no item has. `attainable` is the score of an item that has all known words in a title of
    usual length, before it is divided.
    """

    words: tuple[KnownWord, ...]
    pairs: tuple[tuple[tuple[str, str], float], ...]
    texts: tuple[str, ...]
    unknown: tuple[str, ...]
    known_share: float
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[Phrase, ...] = ()

    @property
    def attainable(self) -> float:
        return sum(word.idf for word in self.words)

    @property
    def needed(self) -> float:
        """The weights of the known words that are not optional."""
        return sum(word.idf for word in self.words if not word.is_optional)

    @property
    def has_needed_words(self) -> bool:
        return any(not word.is_optional for word in self.words)


class CollectionStatistics:
    """Document frequencies over several indexes, each with its dead rows ((n,) bool). Safe to share among threads."""

    def __init__(self, indexes: Iterable[tuple[LexicalIndex, np.ndarray]]) -> None:
        self._indexes = [(index, dead if dead.any() else None) for index, dead in indexes]
        self.num_items = sum(
            index.num_rows - (0 if dead is None else int(np.count_nonzero(dead))) for index, dead in self._indexes
        )
        self._frequency = lru_cache(_REMEMBERED_TERMS)(self._count)

    def frequency(self, alternative: Alternative) -> int:
        """The number of living items that have this alternative."""
        return self._frequency(alternative.terms)

    def idf(self, frequency: int) -> float:
        """Inverse document frequency as in BM25 (Robertson and Zaragoza 2009, eq. 3.3), never negative."""
        return math.log(1 + (self.num_items - frequency + 0.5) / (frequency + 0.5))

    def look_up(self, query: QueryWords) -> LookedUp:
        """The query's words with the alternatives that living items have, and their weights."""
        found = [(word, self._known(word)) for word in query.words]
        unknown = self.idf(0)
        asked = [
            (known.idf if known else word.weight * unknown, known) for word, known in found if not word.is_optional
        ]
        return LookedUp(
            words=tuple(known for _, known in found if known),
            pairs=tuple(_pairs([known for _, known in found])),
            texts=tuple(word.text for word, _ in found if not word.is_optional),
            unknown=tuple(word.text for word, known in found if not word.is_optional and not known),
            known_share=sum(idf for idf, known in asked if known) / (sum(idf for idf, _ in asked) or 1.0),
            phrases=query.phrases,
            excluded=query.excluded,
        )

    def _known(self, word: QueryWord) -> KnownWord | None:
        """The word with the alternatives that living items have, else with its fallbacks; None for an unknown word."""
        alternatives = word.alternatives + (self._continuations(word) if word.is_prefix else ())
        for several in (alternatives, word.fallbacks):
            counts = [(alternative, self.frequency(alternative)) for alternative in dict.fromkeys(several)]
            known = [(alternative, count) for alternative, count in counts if count]
            if known:
                best = max(alternative.weight for alternative, _ in known)
                frequency = max(count for alternative, count in known if alternative.weight == best)
                idf = word.weight * self.idf(frequency)
                return KnownWord(word.text, tuple(alternative for alternative, _ in known), idf, word.is_optional)
        return None

    def _continuations(self, word: QueryWord) -> tuple[Alternative, ...]:
        """The terms that begin as the word does."""
        begun = strip_marks(word.text)
        terms = dict.fromkeys(
            term for index, _ in self._indexes for term in index.terms_beginning_with(begun, _MOST_CONTINUATIONS)
        )
        return tuple(Alternative((term,)) for term in terms)

    def _count(self, terms: tuple[str, ...]) -> int:
        return sum(index.frequency(Alternative(terms), dead) for index, dead in self._indexes)


def _pairs(words: Sequence[KnownWord | None]) -> Iterator[tuple[tuple[str, str], float]]:
    """The terms of each two neighbouring known words, with what an item gains that has them side by side."""
    for first, second in pairwise(words):
        if first and second and len(first.alternatives[0].terms) == len(second.alternatives[0].terms) == 1:
            terms = (first.alternatives[0].terms[0], second.alternatives[0].terms[0])
            if terms[0] != terms[1]:
                yield terms, SIDE_BY_SIDE * (first.idf + second.idf)
