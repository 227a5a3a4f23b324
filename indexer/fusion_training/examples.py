"""Makes the examples that a fusion is trained on: each item with a query that it answers.

Where enough queries led people to items, those are the queries; elsewhere words taken out of an item's own text.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.catalogue.catalogue import Catalogue
from magpie.indexer.encoder.encode_catalogue import Progress
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.fusion.average_fusion import PARTS
from magpie.indexer.generations.generation import Generation
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.lexicon import load_lexicon
from magpie.indexer.vectors import unit_rows

MOST_ITEMS = 40_000
FEWEST_CLICKED = 100  # items; fewer teach too little about how people ask
_BATCH = 1_024
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class FusionExamples:
    """One example an item; all arrays are in the same order, vectors (n, dim) centred unit rows.

    `text` and `image` are the item's parts, `reduced` its text without the words of `queries`, zero rows where there
    is none. `num_descriptive` and `num_descriptive_reduced` (n,) count the descriptive words of either text. An item
    answers a query if `item_words` has all of its words, or if the query led people to the item (`clicked_queries`).
    `describes` (n,) bool tells whether the query seems to name what a thing is or looks like rather than a brand or a
    series.
    """

    text: np.ndarray
    image: np.ndarray
    reduced: np.ndarray
    queries: np.ndarray
    num_descriptive: np.ndarray
    num_descriptive_reduced: np.ndarray
    item_words: tuple[frozenset[str], ...]
    query_texts: tuple[str, ...]
    clicked_queries: tuple[frozenset[str], ...]
    describes: np.ndarray

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: np.ndarray) -> "FusionExamples":
        """These rows only."""
        return FusionExamples(
            text=self.text[rows],
            image=self.image[rows],
            reduced=self.reduced[rows],
            queries=self.queries[rows],
            num_descriptive=self.num_descriptive[rows],
            num_descriptive_reduced=self.num_descriptive_reduced[rows],
            item_words=tuple(self.item_words[row] for row in rows),
            query_texts=tuple(self.query_texts[row] for row in rows),
            clicked_queries=tuple(self.clicked_queries[row] for row in rows),
            describes=self.describes[rows],
        )

    def answers(self) -> np.ndarray:
        """(n, n) bool: which query (row) is answered by which item (column)."""
        return self.answers_to(len(self))

    def answers_to(self, num_queries: int) -> np.ndarray:
        """(num_queries, n) bool: the same of the first queries only."""
        items = list(zip(self.item_words, self.clicked_queries, strict=True))
        asked = [(text, frozenset(_words(text))) for text in self.query_texts[:num_queries]]
        return np.array([[wanted <= words or text in own for words, own in items] for text, wanted in asked], bool)


@dataclass(frozen=True)
class _Example:
    """One item: its row, its text whole and without the query's words, the query, and all queries that led to it."""

    row: int
    text: ItemText
    reduced: ItemText
    query: str
    clicked_queries: frozenset[str] = frozenset()


def read_examples(
    catalogue: Catalogue,
    generation: Generation,
    encoder: Encoder,
    clicked: Mapping[str, Sequence[ClickedQuery]],
    seed: int,
    progress: Progress,
) -> FusionExamples:
    """Examples of the items that the generation has and that have words, at most forty thousand of them.

    `clicked` holds by item id the queries that led people to it; with fewer than FEWEST_CLICKED items they are ignored.
    """
    words, chance = load_lexicon().single_words(), random.Random(seed)
    found = list(_examples(catalogue, generation, clicked if len(clicked) >= FEWEST_CLICKED else {}, chance))
    if len(found) > MOST_ITEMS:
        found = [found[k] for k in sorted(chance.sample(range(len(found)), MOST_ITEMS))]
    rows = np.array([one.row for one in found], np.int64)
    parts = {name: generation.parts[name][rows].astype(np.float32) for name in PARTS}
    queries = _encode(encoder, [one.query for one in found], "queries", progress)
    reduced = _encode_items(encoder, [one.reduced for one in found], progress)
    return FusionExamples(
        text=parts["text"],
        image=parts["image"],
        reduced=generation.means.centre("text", reduced),
        queries=generation.means.centre("query", queries),
        num_descriptive=np.array([one.text.count_descriptive(words) for one in found], np.int64),
        num_descriptive_reduced=np.array([one.reduced.count_descriptive(words) for one in found], np.int64),
        item_words=tuple(_words_of(one.text) for one in found),
        query_texts=tuple(one.query for one in found),
        clicked_queries=tuple(one.clicked_queries for one in found),
        describes=np.array([bool(one.clicked_queries) or _describes(one, words) for one in found], bool),
    )


def _describes(example: _Example, words: frozenset[str]) -> bool:
    """Whether the query is one of the item's attribute values, or has one of the lexicon's words."""
    return example.query in example.text.values or bool(words.intersection(_words(example.query)))


def draw_query(text: ItemText, chance: random.Random) -> str:
    """A query about the item, of a few of its title's words or one or two of its values."""
    title = text.title.split()
    if text.values and (not title or chance.random() < 0.5):
        return " ".join(chance.sample(text.values, min(len(text.values), chance.randint(1, 2))))
    start = chance.randrange(max(1, len(title) - 1))
    return " ".join(title[start : start + chance.randint(1, 3)])


def without_words(text: ItemText, query: str) -> ItemText:
    """The text without the words of the query, and without the values that have one of them."""
    held = frozenset(_words(query))
    return replace(
        text,
        title=_without(text.title, held),
        description=_without(text.description, held),
        values=tuple(value for value in text.values if held.isdisjoint(_words(value))),
    )


def _examples(
    catalogue: Catalogue, generation: Generation, clicked: Mapping[str, Sequence[ClickedQuery]], chance: random.Random
) -> Iterator[_Example]:
    """Every item that can be an example; one that people chose has one of their queries, by its weight."""
    row_of = {int(id_): row for row, id_ in enumerate(generation.ids)}
    for items in catalogue.scan():
        for item in items:
            text = generation.text_plan.read(item)
            if item.id not in row_of or not (text.title or text.values):
                continue
            own = clicked.get(item.item_id, ())
            query = chance.choices(own, [one.weight for one in own])[0].text if own else draw_query(text, chance)
            if _words(query):
                names = frozenset(one.text for one in own)
                yield _Example(row_of[item.id], text, without_words(text, query), query, names)


def _encode(encoder: Encoder, texts: Sequence[str], stage: str, progress: Progress) -> np.ndarray:
    """(n, dim) unit rows; texts that recur are encoded once."""
    unique = list(dict.fromkeys(texts))
    vectors = np.zeros((len(unique), encoder.spec.dim), np.float32)
    for start in range(0, len(unique), _BATCH):
        progress(stage, start, len(unique))
        vectors[start : start + _BATCH] = encoder.encode_texts(unique[start : start + _BATCH])
    place = {text: k for k, text in enumerate(unique)}
    return vectors[[place[text] for text in texts]] if texts else vectors


def _encode_items(encoder: Encoder, texts: Sequence[ItemText], progress: Progress) -> np.ndarray:
    """(n, dim) unit rows, pooled over each item's segments as the index pools them."""
    segments = [(row, segment) for row, text in enumerate(texts) for segment in text.segments()]
    vectors = _encode(encoder, [segment.text for _, segment in segments], "texts", progress)
    pooled = np.zeros((len(texts), encoder.spec.dim), np.float32)
    weights = np.array([segment.weight for _, segment in segments], np.float32)
    np.add.at(pooled, [row for row, _ in segments], weights[:, None] * vectors)
    return unit_rows(pooled)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _words_of(text: ItemText) -> frozenset[str]:
    return frozenset(_words(" ".join([text.title, *text.values])))


def _without(text: str, held: frozenset[str]) -> str:
    return " ".join(word for word in text.split() if held.isdisjoint(_words(word)))
