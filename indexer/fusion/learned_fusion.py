"""Fuses an item's parts by trained weights: the fusions `concat` and `attention`, and their files.

Everything about a trained fusion is one file in the home, `models/fusion/<kind>.npz`: its arrays, the fingerprint of
the encoder whose vectors it was trained on, and its figures on held-out items. A generation keeps a copy of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.indexer.fusion.average_fusion import PARTS

KINDS = ("concat", "attention")
_TRAIN = "Run `magpie train fusion`, or choose --fusion auto or average."


@dataclass(frozen=True)
class LearnedFusion:
    """A trained fusion of one encoder's vectors.

    `arrays` of `concat`, y = W [h_text; h_image; present] + b: "text" and "image" (dim, dim) blocks of W, "present"
    (parts, dim), "bias" (dim,). Of `attention`: "query" (dim,), the learned token, and by part "key.…" and "value.…"
    (dim, dim) and "offset.…", which is added to the logit. `judgement` compares it with the average.
    """

    kind: str
    arrays: Mapping[str, np.ndarray]
    fingerprint: str
    judgement: Mapping[str, Any]

    def contributions(self, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> dict[str, np.ndarray]:
        """(n, dim) by part, whose rescaled sum is the fused vector; zero rows for parts that are missing.

        Parts are (n, dim) centred unit rows, zero where missing. The bias is shared by the parts that are there.
        """
        present = {name: np.asarray(parts[name].any(axis=1, keepdims=True), np.float32) for name in PARTS}
        if self.kind == "concat":
            shared = self.arrays["bias"] / np.maximum(sum(present.values()), 1)
            return {
                name: present[name] * (parts[name] @ self.arrays[name].T + self.arrays["present"][place] + shared)
                for place, name in enumerate(PARTS)
            }
        logits = np.concatenate([self._logit(name, parts[name]) for name in PARTS], axis=1)
        there = np.concatenate([present[name] for name in PARTS], axis=1)
        weights = there * np.exp(logits - logits.max(axis=1, keepdims=True))
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        return {
            name: weights[:, [place]] * (parts[name] @ self.arrays[f"value.{name}"].T)
            for place, name in enumerate(PARTS)
        }

    def _logit(self, name: str, vectors: np.ndarray) -> np.ndarray:
        """(n, 1) scaled dot products of the learned token with the part's keys (Vaswani et al. 2017, eq. 1)."""
        query = self.arrays["query"] @ self.arrays[f"key.{name}"] / np.sqrt(len(self.arrays["query"]))
        return np.asarray(vectors @ query[:, None] + self.arrays[f"offset.{name}"])

    def save(self, path: Path) -> None:
        """Writes the file beside its place and renames it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"kind": self.kind, "fingerprint": self.fingerprint, "judgement": dict(self.judgement)}
        beside = path.with_name(path.name + ".new")
        with beside.open("wb") as file:
            np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **dict(self.arrays))
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> "LearnedFusion":
        """The fusion that `save` wrote. Raises OSError, ValueError, KeyError."""
        with np.load(path) as stored:
            about = json.loads(str(stored["about"]))
            arrays = {name: stored[name] for name in stored.files if name != "about"}
        return cls(about["kind"], arrays, about["fingerprint"], about["judgement"])


def fusion_file(settings: Settings, kind: str) -> Path:
    """The home's file of this kind's trained weights."""
    return settings.home / "models" / "fusion" / f"{kind}.npz"


def choose_fusion(wanted: str, settings: Settings, fingerprint: str) -> LearnedFusion | None:
    """The learned fusion to build an index with, None for the average: the one asked for, or for "auto" the best that
    beat the average.

    Raises BadSetting where what is asked for is unknown, or not trained for the encoder with this fingerprint.
    """
    if wanted == "average":
        return None
    if wanted == "auto":
        passed = [f for kind in KINDS if (f := _trained(settings, kind, fingerprint)) and f.judgement["passed"]]
        return max(passed, key=lambda fusion: float(fusion.judgement["gain"]), default=None)
    if wanted not in KINDS:
        raise BadSetting(f"There is no fusion {wanted!r}; there are: auto, average, {', '.join(KINDS)}.")
    found = _trained(settings, wanted, fingerprint)
    if found is None:
        raise BadSetting(f"No {wanted} fusion has been trained for this encoder in {settings.home}. {_TRAIN}")
    return found


def _trained(settings: Settings, kind: str, fingerprint: str) -> LearnedFusion | None:
    path = fusion_file(settings, kind)
    found = LearnedFusion.load(path) if path.is_file() else None
    return found if found and found.fingerprint == fingerprint else None
