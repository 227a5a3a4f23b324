"""Computes what a build writes from what it read: encoded items, weighed parts, fused vectors, composition.

The order is encode_items, weigh_parts, fuse_items; learn_composition also takes the weighed parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from magpie.indexer.composition.attribute_subspaces import AttributeSubspaces, fit_subspace, gather_words
from magpie.indexer.composition.swap_tuning import tune_swaps
from magpie.indexer.encoder.dominant_colour import first_dominant_colours
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import (
    EncodingReport,
    Progress,
    encode_missing_pictures,
    encode_texts,
    pool_pictures,
    pool_texts,
)
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.fusion.average_fusion import Fusion, Means, TextWeighing, estimate_means
from magpie.indexer.fusion.click_part import ClickPart, fit_click_part
from magpie.indexer.fusion.halves import fuse_all, fuse_halves
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage
from magpie.indexer.fusion.modality_conflicts import Conflicts, category_numbers, find_conflicts
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.mix.measure import measure_mix
from magpie.indexer.mix.mix import Mix, silence_of
from magpie.indexer.mix.signals import SampledItems
from magpie.indexer.pipeline.confidence import CalibratedIndex, calibrate_confidence
from magpie.indexer.pipeline.inputs import BuildInputs
from magpie.indexer.read_catalogue import Snapshot
from magpie.indexer.text.lexicon import load_lexicon


@dataclass(frozen=True)
class EncodedItems:
    """The items' parts as vectors, and what centres them.

    `parts` are (n, dim) centred unit rows by part, zero where an item lacks it; `synthetic_queries` (q, dim) centred
    unit rows, `dominant_colours` (n, 3) uint8. `encode_queries` turns t texts into (t, dim) centred unit rows.
    """

    parts: Mapping[str, np.ndarray]
    means: Means
    synthetic_queries: np.ndarray
    dominant_colours: np.ndarray
    encode_queries: Callable[[list[str]], np.ndarray]
    pictures: EncodingReport


def encode_items(encoder: Encoder, snapshot: Snapshot, cache: EmbeddingCache, progress: Progress) -> EncodedItems:
    """Encodes the pictures that the cache lacks and centres the parts by their means."""
    pictures = encode_missing_pictures(encoder, snapshot.files, cache, progress)
    raw = {"text": snapshot.texts, "image": pool_pictures(cache, snapshot.pictures, encoder.spec.dim)}
    means = estimate_means(raw, snapshot.synthetic_queries, encoder.prior_means)
    return EncodedItems(
        parts={name: means.centre(name, vectors) for name, vectors in raw.items()},
        means=means,
        synthetic_queries=means.centre("query", snapshot.synthetic_queries),
        dominant_colours=first_dominant_colours(cache, snapshot.pictures),
        encode_queries=lambda texts: means.centre("query", encode_texts(encoder, texts, cache)[0]),
        pictures=pictures,
    )


@dataclass(frozen=True)
class WeighedParts:
    """The parts that enter the fused vectors: `parts` as encoded, but zero rows where a conflict masks one.

    `text_weights` (n,) is the weight of each item's text; its picture has the rest of 1.
    """

    parts: Mapping[str, np.ndarray]
    text_weights: np.ndarray
    weighing: TextWeighing
    conflicts: Conflicts

    @property
    def mean_text_weight(self) -> float | None:
        """The mean weight of the texts of items with both parts, None without such items."""
        both = self.parts["text"].any(axis=1) & self.parts["image"].any(axis=1)
        return float(self.text_weights[both].mean()) if both.any() else None


def weigh_parts(
    parts: Mapping[str, np.ndarray], num_descriptive: np.ndarray, columns: Columns, keys: np.ndarray
) -> WeighedParts:
    """Masks the less credible part of each conflict and weighs the texts by how well they agree with the pictures.

    `parts` are (n, dim) centred unit rows, `num_descriptive` (n,) counts the descriptive words of each text,
    `keys` (n,) are the items' draw keys.
    """
    weighing = TextWeighing.fit(parts, num_descriptive, keys)
    conflicts = find_conflicts(parts, category_numbers(columns), keys)
    masked = conflicts.mask(parts)
    return WeighedParts(masked, weighing.weigh(masked, num_descriptive), weighing, conflicts)


@dataclass(frozen=True)
class FusedItems:
    """(n, 2·dim) fused rows, and how they were made: `average` is kept also where `fusion` is a learned one."""

    vectors: np.ndarray
    fusion: Fusion
    average: ImputedAverage
    click_part: ClickPart


def fuse_items(inputs: BuildInputs, snapshot: Snapshot, encoded: EncodedItems, weighed: WeighedParts) -> FusedItems:
    """Fuses the weighed parts and moves the vectors towards the queries that led people to the items."""
    average = ImputedAverage.fit(weighed.parts, weighed.text_weights)
    fusion = inputs.learned_fusion or average
    ids_by_item = dict(zip(snapshot.item_ids, snapshot.ids.tolist(), strict=True))
    click_part = fit_click_part(inputs.clicked, ids_by_item, encoded.encode_queries, inputs.settings.clicked_share)
    vectors = click_part.apply(snapshot.ids, fuse_all(fusion, weighed.parts, weighed.text_weights))
    return FusedItems(vectors, fusion, average, click_part)


def measure_weights(
    inputs: BuildInputs,
    snapshot: Snapshot,
    encoded: EncodedItems,
    weighed: WeighedParts,
    fused: FusedItems,
    cache: EmbeddingCache,
) -> Mapping[str, Any]:
    """The mix of words, texts and pictures, measured on sampled items: the entry "mix" of the manifest."""
    rows, texts, encoder = np.array(snapshot.sample.rows, np.int64), snapshot.sample.texts, inputs.encoder
    spoken = [replace(text, description="").segments() for text in texts]
    text_vectors = encoded.means.centre("text", pool_texts(encoder, cache, spoken)[0])
    parts = {name: vectors[rows] for name, vectors in weighed.parts.items()}
    parts["text"] = np.where(parts["text"].any(axis=1, keepdims=True), text_vectors, 0).astype(np.float32)
    undescribed = fuse_halves(fused.fusion.contributions(parts, weighed.text_weights[rows]))
    items = SampledItems(texts, fused.vectors[rows], undescribed, encoded.parts["image"][rows])
    silence = silence_of(weighed.mean_text_weight, weighed.weighing.typical)
    return measure_mix(items, silence, encoded.encode_queries, encoder.known_share, encoder.spec.model)


def calibrate(snapshot: Snapshot, encoded: EncodedItems, fused: FusedItems, mix: Mix, folder: Path) -> dict[str, Any]:
    """From which evidence on an answer is one: the entry "confidence" of the manifest. The folder has the words."""
    index = CalibratedIndex(LexicalIndex.open(folder / "words"), fused.vectors, mix, encoded.encode_queries)
    return calibrate_confidence(index, snapshot.sample.texts, encoded.synthetic_queries, encoded.parts["image"])


@dataclass(frozen=True)
class Composition:
    """What composed queries need: the attribute subspaces with their swaps; `about` compares the swaps by part."""

    subspaces: AttributeSubspaces
    about: dict[str, Any]


def learn_composition(
    columns: Columns,
    parts: Mapping[str, np.ndarray],
    encode_queries: Callable[[list[str]], np.ndarray],
    keys: np.ndarray,
) -> Composition:
    """Fits the subspaces of the lexicon's and the columns' words, and tunes the swaps on the catalogue's own items.

    `parts` are (n, dim) centred unit rows by part, `keys` (n,) the items' draw keys.
    """
    lexicon = load_lexicon()
    meanings = {
        slot: [entry.name for entry in entries.values()] for slot, entries in lexicon.entries.items() if slot != "kind"
    }
    values = {name: found for name, found in columns.vocabularies().items() if lexicon.slot_of(name) != "kind"}
    gathered = gather_words(meanings, {name: lexicon.slot_of(name) for name in values}, values)
    subspaces = {name: fit_subspace(words, encode_queries(words)) for name, words in gathered.items()}
    swaps, about = tune_swaps(parts, columns, subspaces, encode_queries, keys)
    return Composition(AttributeSubspaces(subspaces, swaps), about)
