"""The signals of sampled queries on the sampled items: lexical scores, and similarities with texts and pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from magpie.indexer.fusion.halves import halves_of
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.mix.sample_queries import SampledQuery
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.query_words import Alternative, Languages, QueryWord, QueryWords, analyse_query


@dataclass(frozen=True)
class SampledItems:
    """n sampled items: their texts, and their (n, 2·dim) fused rows, as they are and as if they had no descriptions.

    `pictures` are (n, dim) unit rows, zero without a picture.
    """

    texts: Sequence[ItemText]
    fused: np.ndarray
    fused_without_descriptions: np.ndarray
    pictures: np.ndarray


@dataclass(frozen=True)
class Signals:
    """What is known of q queries and n items: (q, n) float32 `words`, `text`, `image`, and (q, n) bool `relevant`.

    `known_words` and `known_by_encoder` (q,) are the shares of each query that the catalogue's words and the encoder
    know; `kinds` (q,) the kinds of query.
    """

    words: np.ndarray
    text: np.ndarray
    image: np.ndarray
    relevant: np.ndarray
    known_words: np.ndarray
    known_by_encoder: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, rows: np.ndarray) -> "Signals":
        """The signals of these queries ((m,) places)."""
        return Signals(**{name: values[rows] for name, values in vars(self).items()})


class SampledWords:
    """The lexical index of sampled items, as they are or without their descriptions; `language` "" is guessed."""

    def __init__(self, texts: Sequence[ItemText], language: str = "", with_descriptions: bool = True) -> None:
        builder = LexicalIndexBuilder(language=language)
        for text in texts:
            builder.add((text if with_descriptions else replace(text, description="")).searched_fields())
        self._index: LexicalIndex = builder.finish()
        self._statistics = CollectionStatistics([(self._index, np.zeros(len(texts), bool))])

    @property
    def language(self) -> str:
        """The code of the items' usual language."""
        return self._index.languages.codes[0]

    def knows(self, word: str) -> bool:
        """Whether any item has this word."""
        return not self._statistics.look_up(analyse_query(word, self._index.languages)).unknown

    def match(self, query: SampledQuery) -> tuple[np.ndarray, float]:
        """(n,) float32 lexical scores, 0 for items that do not match, and the share of the words that are known."""
        languages = self._index.languages
        words = withhold(analyse_query(query.text, languages), query.withheld, languages)
        matches = self._index.match(self._statistics.look_up(words))
        scores = np.zeros(self._index.num_rows, np.float32)
        scores[matches.rows] = matches.scores
        return scores, matches.known_share


def withhold(words: QueryWords, withheld: str, languages: Languages) -> QueryWords:
    """The words of a query with those of `withheld` as ones that no item has."""
    hidden = {word.text for word in analyse_query(withheld, languages).words}
    return replace(words, words=tuple(_as_unknown(word) if word.text in hidden else word for word in words.words))


def _as_unknown(word: QueryWord) -> QueryWord:
    return QueryWord(word.text, (Alternative(("\n",)),))  # no term has a line's end in it


def measure_signals(
    items: SampledItems,
    queries: Sequence[SampledQuery],
    whole: SampledWords,
    encode_queries: Callable[[list[str]], np.ndarray],
    known_by_encoder: Callable[[str], float],
) -> Signals:
    """The signals of these queries on the items; `whole` is the lexical index of the items as they are."""
    vectors = encode_queries([query.text for query in queries])
    hides = np.array([query.is_description_hidden for query in queries], bool)
    without = SampledWords(items.texts, whole.language, with_descriptions=False) if hides.any() else whole
    matched = [(without if query.is_description_hidden else whole).match(query) for query in queries]
    similarities = {}
    for name, as_is in halves_of(items.fused).items():
        hidden = halves_of(items.fused_without_descriptions)[name]
        similarities[name] = np.where(hides[:, None], vectors @ hidden.T, vectors @ as_is.T).astype(np.float32)
    relevant = np.zeros((len(queries), len(items.texts)), bool)
    for row, query in enumerate(queries):
        relevant[row, list(query.relevant)] = True
    return Signals(
        words=np.stack([scores for scores, _ in matched]),
        text=similarities["text"],
        image=similarities["image"],
        relevant=relevant,
        known_words=np.array([known for _, known in matched]),
        known_by_encoder=np.array([known_by_encoder(query.text) for query in queries]),
        kinds=np.array([query.kind for query in queries]),
    )
