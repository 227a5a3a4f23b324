"""Reads the catalogue once for an index: text vectors, columns, words, stored hits, and which pictures to encode."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue, Item
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import Progress, encode_texts, pool_texts
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.indexes.stored_hits import StoredHitsWriter
from magpie.indexer.mix.sample_queries import ItemSampler
from magpie.indexer.text.completion_phrases import PhraseCounter
from magpie.indexer.text.item_text import ItemText, TextPlan, TextPlanBuilder
from magpie.indexer.text.languages import language_of
from magpie.indexer.text.lexicon import load_lexicon
from magpie.indexer.text.synthetic_queries import QuerySampler

_READ_AT_ONCE = 1000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """The content of the catalogue that a build uses; everything in row order."""

    ids: np.ndarray  # (n,) int64
    item_ids: list[str]
    titles: list[str]
    columns: Columns
    texts: np.ndarray  # (n, dim) float32, zero rows without words
    pictures: list[list[str]]  # content hashes by row
    files: dict[str, str]  # by content hash
    num_descriptive: np.ndarray  # (n,) number of descriptive words of each text
    synthetic_queries: np.ndarray  # (q, dim) unit rows
    sample: ItemSampler  # items whose texts are kept, to measure the mix
    texts_encoded: int
    languages: tuple[str, ...]  # codes, that of most texts first


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Reading a catalogue makes millions of objects and no cycles: looking for some took a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@without_garbage_collection()
def read_catalogue(
    catalogue: Catalogue,
    encoder: Encoder,
    cache: EmbeddingCache,
    folder: Path,
    progress: Progress,
    language: str = "",
) -> Snapshot:
    """Walks the catalogue once for its text plan and once for its content, and encodes the texts that the cache lacks.

    The lexical index, the stored hits, the text plan and the completion phrases are written into the folder on the way.
    `language` is the code of the language that most texts are in, "" to guess it. Items that change meanwhile get a
    higher revision than the index states, so searches read them from the catalogue.
    """
    total = catalogue.count()
    for name, number in catalogue.odd_values().items():
        log.info("%s: %d values are not of the kind of nearly all others, and set aside as they came", name, number)
    plan, kinds = plan_texts(catalogue), catalogue.attribute_kinds()
    files = _FilesWritten(folder, plan, StoredHitsWriter(folder, kinds), language)
    rows, vectors = _Rows(ColumnsBuilder(kinds)), _TextVectors(total, encoder, cache)
    for items in catalogue.scan():
        progress("texts", vectors.count, total)
        texts = [plan.read(item) for item in items]
        vectors.add(texts)
        files.add(items, texts)
        rows.add(items, texts)
    languages = files.finish()
    progress("texts", vectors.count, total)
    return Snapshot(
        ids=np.array(rows.ids, np.int64),
        item_ids=rows.item_ids,
        titles=rows.titles,
        columns=rows.columns.build(),
        texts=vectors.rows(),
        pictures=rows.pictures,
        files=rows.files,
        num_descriptive=np.array(rows.num_descriptive, np.int64),
        synthetic_queries=encode_texts(encoder, rows.sampler.texts, cache)[0],
        sample=rows.items,
        texts_encoded=vectors.num_encoded,
        languages=languages,
    )


def plan_texts(catalogue: Catalogue) -> TextPlan:
    """The text plan of the catalogue: what its texts have in common, to be left out of each."""
    builder = TextPlanBuilder()
    for items in catalogue.scan():
        builder.add(items)
        if builder.is_full:
            break
    return builder.build()


def index_words(catalogue: Catalogue, ids: np.ndarray, plan: TextPlan) -> LexicalIndex:
    """The lexical index of the items of these (n,) `items.id`, in their order; one that is gone has no words."""
    builder = LexicalIndexBuilder()
    for start in range(0, len(ids), _READ_AT_ONCE):
        batch = ids[start : start + _READ_AT_ONCE].tolist()
        found = catalogue.get_many(batch)
        for id_ in batch:
            item = found.get(id_)
            builder.add(plan.read(item).searched_fields() if item else {}, language_of(item.attributes) if item else "")
    return builder.finish()


class _Rows:
    """Gathers what is kept in memory of each item, in row order."""

    def __init__(self, columns: ColumnsBuilder) -> None:
        self.columns, self.sampler, self.items = columns, QuerySampler(), ItemSampler()
        self.ids: list[int] = []
        self.item_ids: list[str] = []
        self.titles: list[str] = []
        self.pictures: list[list[str]] = []
        self.files: dict[str, str] = {}
        self.num_descriptive: list[int] = []
        self._words = load_lexicon().single_words()

    def add(self, items: list[Item], texts: list[ItemText]) -> None:
        for item, text in zip(items, texts, strict=True):
            self.ids.append(item.id)
            self.item_ids.append(item.item_id)
            self.titles.append(item.title)
            self.columns.add(item)
            self.num_descriptive.append(text.count_descriptive(self._words))
            self.sampler.add(item.item_id, text)
            self.items.add(len(self.ids) - 1, text)
            sound = [picture for picture in item.pictures if picture.status == "ok"]
            self.pictures.append([picture.content_hash for picture in sound])
            self.files.update((picture.content_hash, picture.file) for picture in sound)


class _TextVectors:
    """Encodes the items' texts batch by batch into one array, sized for the items that were counted before."""

    def __init__(self, total: int, encoder: Encoder, cache: EmbeddingCache) -> None:
        self._encoder, self._cache = encoder, cache
        self._vectors = np.zeros((total, encoder.spec.dim), np.float32)
        self.count = self.num_encoded = 0

    def add(self, texts: list[ItemText]) -> None:
        pooled, encoded = pool_texts(self._encoder, self._cache, [text.segments() for text in texts])
        if self.count + len(pooled) > len(self._vectors):  # items that were added meanwhile
            room = np.zeros((2 * len(pooled), self._vectors.shape[1]), np.float32)
            self._vectors = np.concatenate([self._vectors[: self.count], room])
        self._vectors[self.count : self.count + len(pooled)] = pooled
        self.count += len(pooled)
        self.num_encoded += encoded

    def rows(self) -> np.ndarray:
        """(n, dim) float32 unit rows of all items so far, zero without words."""
        return self._vectors[: self.count]


class _FilesWritten:
    """The files of a generation that are written while the catalogue is read."""

    def __init__(self, folder: Path, plan: TextPlan, stored_hits: StoredHitsWriter, language: str) -> None:
        self._folder, self._plan, self._stored_hits = folder, plan, stored_hits
        self._lexical, self._phrases = LexicalIndexBuilder(language=language), PhraseCounter()

    def add(self, items: list[Item], texts: list[ItemText]) -> None:
        self._stored_hits.add(items)
        for item, text in zip(items, texts, strict=True):
            self._lexical.add(text.searched_fields(), language_of(item.attributes))
            self._phrases.add(text)

    def finish(self) -> tuple[str, ...]:
        """Writes what is left; returns the codes of the texts' languages."""
        words = self._lexical.finish()
        words.save(self._folder / "words")
        self._stored_hits.finish()
        self._plan.save(self._folder / "text_plan.json")
        self._phrases.save(self._folder / "phrases.json")
        return words.language_codes
