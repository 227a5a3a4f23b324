"""Imputes an item's missing part from the part that it has, so that ranking neither favours nor buries the item.

The fused vector of an item with one part lies nearer to queries of that modality than one of two parts, and farther
from the other modality: items without a picture would crowd the answers to words, and items without words would
vanish. So a missing part is predicted by ridge regression on the items that have both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from magpie.indexer.vectors import unit_rows

_FEWEST_PAIRS = 100
_RIDGE = 10.0


@dataclass(frozen=True)
class ImputedAverage:
    """The weighted mean of the parts, with missing ones imputed.

    `text_from_image` and `image_from_text` are (dim, dim) linear maps, zeros where too few items have both parts: then
    nothing is imputed. `text_weight` is the mean weight of the text.
    """

    text_from_image: np.ndarray
    image_from_text: np.ndarray
    text_weight: float
    kind: str = "average"
    judgement: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(cls, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> "ImputedAverage":
        """Learns from the items that have both; (n, dim) centred unit rows by part, zero where it is missing."""
        both = parts["text"].any(axis=1) & parts["image"].any(axis=1)
        if both.sum() < _FEWEST_PAIRS:
            return plain_average(parts["text"].shape[1])
        text, image = parts["text"][both], parts["image"][both]
        return cls(_learn_map(image, text), _learn_map(text, image), float(text_weights[both].mean()))

    def contributions(self, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> dict[str, np.ndarray]:
        """(n, dim) by part, whose rescaled sum is the fused vector; an imputed part counts as a contribution of the
        part that it was predicted from. Parts are (n, dim) centred unit rows, zero where they are missing."""
        text, image = parts["text"], parts["image"]
        has_text, has_image = np.asarray(text.any(axis=1)), np.asarray(image.any(axis=1))
        weights = np.where(has_text & has_image, text_weights, self.text_weight)[:, None]
        expected_text = np.where(has_text[:, None], 0, unit_rows(image @ self.text_from_image))
        expected_image = np.where(has_image[:, None], 0, unit_rows(text @ self.image_from_text))
        return {
            "text": weights * text + (1 - weights) * expected_image,
            "image": (1 - weights) * image + weights * expected_text,
        }

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                text_from_image=self.text_from_image,
                image_from_text=self.image_from_text,
                text_weight=np.float64(self.text_weight),
            )

    @classmethod
    def load(cls, path: Path) -> "ImputedAverage":
        """The fusion that `save` wrote. Raises OSError, ValueError, KeyError."""
        with np.load(path) as arrays:
            return cls(arrays["text_from_image"], arrays["image_from_text"], float(arrays["text_weight"]))


def plain_average(dim: int) -> ImputedAverage:
    """An average without imputation: an item with one part has that part's vector."""
    nothing = np.zeros((dim, dim), np.float32)
    return ImputedAverage(nothing, nothing, 0.5)


def _learn_map(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(XᵀX + λI)⁻¹XᵀY."""
    gram = known.T @ known + _RIDGE * np.eye(known.shape[1])
    return np.asarray(np.linalg.solve(gram, known.T @ wanted), np.float32)
