"""Fuses an item's parts into one vector: centred by modality, then averaged by weight over the parts it has.

Pictures and texts of a CLIP-like encoder live in two narrow cones apart from each other (the modality gap,
Liang et al. 2022, arXiv:2203.02053). Subtracting each modality's mean removes what all its vectors share;
without that, items that lack a part are all but invisible next to items that have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from magpie.indexer.draws import random_partners
from magpie.indexer.vectors import unit_rows

PARTS = ("text", "image")
_PRIOR_WEIGHT = 50.0  # how many vectors a mean from the encoder's training counts as
_ZERO_WEIGHT = 2.0
_FEWEST_PAIRS = 20
_LOW_WITHOUT_WORDS = 0.84  # where the lexicon knows the language and yet finds next to nothing in a text
_SHARE_UNDERSTOOD = 0.1
_FEW_WORDS, _MANY_WORDS = 2, 3  # of descriptive words: up to the few a text may be uninformative
_CHANCE = 2.0  # standard deviations that the best twentieth of random pairs hardly reaches
_LOW, _HIGH, _MOST, _SHRINKAGE = 0.74, 0.87, 0.7, 0.65  # chosen on the fashion dev split, all four variants


@dataclass(frozen=True)
class Means:
    """The mean vector of each modality: (dim,) float32 by "text", "image" and "query"."""

    by_modality: Mapping[str, np.ndarray]

    def centre(self, modality: str, vectors: np.ndarray) -> np.ndarray:
        """(n, dim) unit rows without the modality's mean; a zero row (a missing part) stays zero."""
        present = np.abs(vectors).max(axis=-1, keepdims=True) > 0
        return unit_rows(np.where(present, vectors - self.by_modality[modality], 0.0).astype(np.float32))

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **dict(self.by_modality))

    @classmethod
    def load(cls, path: Path) -> "Means":
        with np.load(path) as arrays:
            return cls({name: arrays[name] for name in arrays.files})


def estimate_means(parts: Mapping[str, np.ndarray], queries: np.ndarray, priors: Mapping[str, np.ndarray]) -> Means:
    """The means of the parts ((n, dim) unit rows) and of the queries; with few rows they shrink towards the priors."""
    modalities = {**parts, "query": queries}
    return Means({name: _mean(vectors, priors.get(name)) for name, vectors in modalities.items()})


def _mean(vectors: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
    present = vectors[vectors.any(axis=1)]
    weight, start = (_PRIOR_WEIGHT, prior) if prior is not None else (_ZERO_WEIGHT, np.zeros(vectors.shape[1]))
    total = present.sum(axis=0, dtype=np.float64) + weight * start
    return np.asarray(total / (len(present) + weight), np.float32)


@dataclass(frozen=True)
class TextWeighing:
    """The weight of each text in its item's fused vector, from how well the text agrees with the item's picture.

    A title such as "Titan" fits a thousand pictures, "Titan women silver watch" fits its own: an uninformative text
    must not dilute the picture. Agreement is the cosine of an item's centred parts in standard deviations above that
    of random pairs (`mean`, `deviation`), relative to the best agreement in the catalogue (`best`). One item's figure
    is noisy and shrinks towards the catalogue's median (`typical`). Two exceptions:

    - Where not even the best items agree more than chance allows, the encoder does not understand these pictures, and
      all texts get the full weight.
    - A text with several descriptive words gets the full weight, too; `num_descriptive` ((n,) integers) counts the
      descriptive attribute values and the words for kinds, colours, materials and the like. Where that count finds
      words in some of the catalogue's texts, the lexicon knows their language, and texts without any must agree
      better (`low`, the share of the best agreement from which a text counts).
    """

    mean: float
    deviation: float
    typical: float
    best: float
    low: float = _LOW

    @classmethod
    def fit(cls, parts: Mapping[str, np.ndarray], num_descriptive: np.ndarray, keys: np.ndarray) -> "TextWeighing":
        """Learns the scale from the items that have both parts; (n, dim) centred unit rows by part, (n,) draw keys."""
        rows = np.flatnonzero(parts["text"].any(axis=1) & parts["image"].any(axis=1))
        if len(rows) < _FEWEST_PAIRS:
            return cls(0.0, 1.0, 1.0, 1.0)
        random_pairs = np.einsum("nd,nd->n", parts["text"][rows], parts["image"][random_partners(rows, keys)])
        mean, deviation = float(random_pairs.mean()), max(float(random_pairs.std()), 1e-3)
        own = (np.einsum("nd,nd->n", parts["text"][rows], parts["image"][rows]) - mean) / deviation
        low = _LOW_WITHOUT_WORDS if float((num_descriptive[rows] > 0).mean()) >= _SHARE_UNDERSTOOD else _LOW
        return cls(mean, deviation, float(np.median(own)), max(float(np.quantile(own, 0.95)), 1e-3), low)

    def weigh(self, parts: Mapping[str, np.ndarray], num_descriptive: np.ndarray) -> np.ndarray:
        """(n,) float32 weight of each item's text: 1 without a picture, 0 without words. Its picture has the rest."""
        agreement = (np.einsum("nd,nd->n", parts["text"], parts["image"]) - self.mean) / self.deviation
        judged = ((1 - _SHRINKAGE) * agreement + _SHRINKAGE * self.typical) / self.best
        weights = _MOST * np.clip((judged - self.low) / (_HIGH - self.low), 0.0, 1.0)
        trust = np.clip(self.best - _CHANCE, 0.0, 1.0)
        weights = trust * weights + (1 - trust) * _MOST
        by_words = _MOST * np.clip((num_descriptive - _FEW_WORDS) / (_MANY_WORDS - _FEW_WORDS), 0.0, 1.0)
        weights = np.maximum(weights, by_words)
        weights = np.where(parts["image"].any(axis=1), weights, 1.0)
        return np.where(parts["text"].any(axis=1), weights, 0.0).astype(np.float32)


def informativeness(weights: np.ndarray) -> np.ndarray:
    """(n,) informativeness of the texts with these weights, from 0 to 1 (a text with the full weight)."""
    return np.asarray(np.minimum(weights / _MOST, 1.0))


class Fusion(Protocol):
    """Fuses the parts of items into one vector each."""

    @property
    def kind(self) -> str:
        """The name that `index rebuild --fusion` takes."""

    @property
    def judgement(self) -> Mapping[str, Any]:
        """Its figures on held-out items; empty for one that was not trained."""

    def contributions(self, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> dict[str, np.ndarray]:
        """(n, dim) by part, whose rescaled sum is the fused vector.

        Parts are (n, dim) centred unit rows, and a zero row means that the item lacks that part; text_weights (n,).
        """


def fuse(contributions: Mapping[str, np.ndarray]) -> np.ndarray:
    """One unit vector per item: the rescaled sum of its parts' (n, dim) contributions.

    An item with no parts keeps a zero row.
    """
    return unit_rows(np.sum(list(contributions.values()), axis=0))
