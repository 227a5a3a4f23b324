"""What an item's missing part would say: expected from the part that it has, so that it is neither favoured nor buried.

A fused vector of one part lies nearer to queries of its own kind than that of two parts does, and farther from those
of the other: items without a picture would crowd the answers to words, and items without words would vanish. So a
missing part is filled in by ridge regression on the items that have both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.encoder import unit_rows
from indexer.fusion import fuse

_FEWEST_PAIRS = 100
_RIDGE = 10.0


@dataclass(frozen=True)
class Imputation:
    """(dim, dim) maps from a part to the other, and the usual weight of the text; maps of zeros where too few items
    have both parts, which leaves a missing part missing."""

    text_from_image: np.ndarray
    image_from_text: np.ndarray
    text_weight: float

    @classmethod
    def fit(cls, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> "Imputation":
        """Learns from the items that have both; (n, dim) centred unit rows by part, zero where it is missing."""
        both = parts["text"].any(axis=1) & parts["image"].any(axis=1)
        if both.sum() < _FEWEST_PAIRS:
            nothing = np.zeros((parts["text"].shape[1],) * 2, np.float32)
            return cls(nothing, nothing, 0.5)
        text, image = parts["text"][both], parts["image"][both]
        return cls(_learn_map(image, text), _learn_map(text, image), float(text_weights[both].mean()))

    def fuse(self, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> np.ndarray:
        """(n, dim) unit rows: both parts by their weight, a missing one as expected; zero where both are missing."""
        completed, weights = self.complete(parts, text_weights)
        return fuse(completed, {"text": weights, "image": 1 - weights})

    def complete(
        self, parts: Mapping[str, np.ndarray], text_weights: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The parts, missing ones as expected, and (n,) text weights, the usual one where a part is expected."""
        has = {name: np.asarray(rows.any(axis=1)) for name, rows in parts.items()}
        weights = np.where(has["text"] & has["image"], text_weights, self.text_weight)
        completed = {
            "text": np.where(has["text"][:, None], parts["text"], unit_rows(parts["image"] @ self.text_from_image)),
            "image": np.where(has["image"][:, None], parts["image"], unit_rows(parts["text"] @ self.image_from_text)),
        }
        return completed, weights

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
    def load(cls, path: Path) -> "Imputation":
        """What `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["text_from_image"], arrays["image_from_text"], float(arrays["text_weight"]))


def _learn_map(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(XᵀX + λI)⁻¹XᵀY."""
    gram = known.T @ known + _RIDGE * np.eye(known.shape[1])
    return np.asarray(np.linalg.solve(gram, known.T @ wanted), np.float32)
