"""A catalogue and its index → examples for training a fusion: words taken out of an item's own text act as queries."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.catalogue import Catalogue
from indexer.encoder import Encoder, unit_rows
from indexer.fusion import PARTS
from indexer.generation import Generation
from indexer.item_text import ItemText
from indexer.training.lexicon import load_lexicon

MOST_ITEMS = 40_000
_BATCH = 1_024
_WORD = re.compile(r"\w+")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FusionExamples:
    """One example an item; all arrays are in the same order, vectors (n, dim) centred unit rows.

    `text` and `image` are the item's parts, `reduced` its text without the words of `queries`, zero rows where there
    is none. `told` and `told_reduced` (n,) count what either text names. An item answers a query if `item_words` has
    all of `query_words`.
    """

    text: np.ndarray
    image: np.ndarray
    reduced: np.ndarray
    queries: np.ndarray
    told: np.ndarray
    told_reduced: np.ndarray
    item_words: tuple[frozenset[str], ...]
    query_words: tuple[frozenset[str], ...]

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: np.ndarray) -> "FusionExamples":
        """These rows only."""
        return FusionExamples(
            text=self.text[rows],
            image=self.image[rows],
            reduced=self.reduced[rows],
            queries=self.queries[rows],
            told=self.told[rows],
            told_reduced=self.told_reduced[rows],
            item_words=tuple(self.item_words[row] for row in rows),
            query_words=tuple(self.query_words[row] for row in rows),
        )

    def answers(self) -> np.ndarray:
        """(n, n) bool: which query (row) is answered by which item (column)."""
        return np.array([[wanted <= words for words in self.item_words] for wanted in self.query_words], bool)


def read_examples(
    catalogue: Catalogue, generation: Generation, encoder: Encoder, seed: int, progress: Progress
) -> FusionExamples:
    """Examples of the items that the generation has and that have words, at most forty thousand of them."""
    words, chance = load_lexicon().single_words(), random.Random(seed)
    found = list(_held_out(catalogue, generation, chance))
    if len(found) > MOST_ITEMS:
        found = [found[k] for k in sorted(chance.sample(range(len(found)), MOST_ITEMS))]
    rows = np.array([row for row, _, _, _ in found], np.int64)
    parts = {name: generation.parts[name][rows].astype(np.float32) for name in PARTS}
    queries = _encode(encoder, [query for *_, query in found], "queries", progress)
    reduced = _encode_items(encoder, [text for _, _, text, _ in found], progress)
    return FusionExamples(
        text=parts["text"],
        image=parts["image"],
        reduced=generation.means.centre("text", reduced),
        queries=generation.means.centre("query", queries),
        told=np.array([text.count_descriptive(words) for _, text, _, _ in found], np.int64),
        told_reduced=np.array([text.count_descriptive(words) for _, _, text, _ in found], np.int64),
        item_words=tuple(_words_of(text) for _, text, _, _ in found),
        query_words=tuple(frozenset(_words(query)) for *_, query in found),
    )


def hold_out(text: ItemText, chance: random.Random) -> tuple[str, ItemText]:
    """A query about the item, of a few of its title's words or one or two of its values, and the text without it."""
    title = text.title.split()
    if text.values and (not title or chance.random() < 0.5):
        query = " ".join(chance.sample(text.values, min(len(text.values), chance.randint(1, 2))))
    else:
        start = chance.randrange(max(1, len(title) - 1))
        query = " ".join(title[start : start + chance.randint(1, 3)])
    held = frozenset(_words(query))
    return query, replace(
        text,
        title=_without(text.title, held),
        description=_without(text.description, held),
        values=tuple(value for value in text.values if held.isdisjoint(_words(value))),
    )


def _held_out(
    catalogue: Catalogue, generation: Generation, chance: random.Random
) -> Iterator[tuple[int, ItemText, ItemText, str]]:
    """Row, text, text without the query, and query of each item that can be an example."""
    row_of = {int(id_): row for row, id_ in enumerate(generation.ids)}
    for items in catalogue.scan():
        for item in items:
            text = generation.text_plan.read(item)
            if item.id in row_of and (text.title or text.values):
                query, reduced = hold_out(text, chance)
                if _words(query):
                    yield row_of[item.id], text, reduced, query


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
