"""The catalogue → what an index is made from: its texts as vectors, its pictures' names, its words and columns."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import Progress, encode_texts, pool_texts
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.indexes.lexical_index import LexicalIndexBuilder
from magpie.indexer.indexes.stored_hits import StoredHitsWriter
from magpie.indexer.text.completion_phrases import PhraseCounter
from magpie.indexer.text.item_text import TextPlan, TextPlanBuilder
from magpie.indexer.text.lexicon import load_lexicon
from magpie.indexer.text.synthetic_queries import QuerySampler, draw_noise


@dataclass
class Snapshot:
    """The catalogue as far as the vectors need it; everything in row order."""

    ids: np.ndarray  # (n,) int64
    item_ids: list[str]
    titles: list[str]
    columns: Columns
    texts: np.ndarray  # (n, dim) float32, zero rows without words
    pictures: list[list[str]]  # content hashes by row
    files: dict[str, str]  # by content hash
    num_descriptive: np.ndarray  # (n,) how many things each text names
    probes: np.ndarray  # (p, dim) unit rows of queries made of the catalogue's own words
    noise: np.ndarray  # (m, dim) of random letters
    texts_encoded: int


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Reading a catalogue makes millions of objects and no cycles: looking for some took a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def read_catalogue(
    catalogue: Catalogue, encoder: Encoder, cache: EmbeddingCache, folder: Path, progress: Progress
) -> Snapshot:
    """Walks the catalogue once for its plan and once for its content: words, columns and text vectors.

    Changes made meanwhile have a higher revision than was read before, so readers take them from the catalogue.
    """
    total = catalogue.count()
    plan, phrases = plan_texts(catalogue), PhraseCounter()
    kinds = catalogue.attribute_kinds()
    columns, lexical = ColumnsBuilder(kinds), LexicalIndexBuilder(folder / "lexical")
    stored_hits = StoredHitsWriter(folder, kinds)
    ids: list[int] = []
    names: list[tuple[str, str]] = []  # item_id, title
    texts = np.zeros((total, encoder.spec.dim), np.float32)
    pictures: list[list[str]] = []
    files: dict[str, str] = {}
    descriptive, words = [], load_lexicon().single_words()
    num_encoded, sampler = 0, QuerySampler()
    for items in catalogue.scan():
        progress("texts", len(ids), total)
        read = [plan.read(item) for item in items]
        pooled, encoded = pool_texts(encoder, cache, [text.segments() for text in read])
        if len(ids) + len(pooled) > len(texts):  # items that were added meanwhile
            texts = np.concatenate([texts[: len(ids)], np.zeros((2 * len(pooled), encoder.spec.dim), np.float32)])
        texts[len(ids) : len(ids) + len(pooled)] = pooled
        num_encoded += encoded
        stored_hits.add(items)
        for item, text in zip(items, read, strict=True):
            ids.append(item.id)
            names.append((item.item_id, item.title))
            columns.add(item)
            descriptive.append(text.count_descriptive(words))
            lexical.add(text.searched_fields())
            sampler.add(text)
            phrases.add(text)
            sound = [p for p in item.pictures if p.status == "ok"]
            pictures.append([p.content_hash for p in sound])
            files.update((p.content_hash, p.file) for p in sound)
    lexical.finish()
    stored_hits.finish()
    plan.save(folder / "text_plan.json")
    phrases.save(folder / "phrases.json")
    progress("texts", len(ids), total)
    probes, noise = (encode_texts(encoder, drawn, cache)[0] for drawn in (sampler.texts, draw_noise()))
    return Snapshot(
        ids=np.array(ids, np.int64),
        item_ids=[item_id for item_id, _ in names],
        titles=[title for _, title in names],
        columns=columns.build(),
        texts=texts[: len(ids)],
        pictures=pictures,
        files=files,
        num_descriptive=np.array(descriptive, np.int64),
        probes=probes,
        noise=noise,
        texts_encoded=num_encoded,
    )


def plan_texts(catalogue: Catalogue) -> TextPlan:
    """What the catalogue's texts have in common."""
    builder = TextPlanBuilder()
    for items in catalogue.scan():
        builder.add(items)
        if builder.is_full:
            break
    return builder.build()
