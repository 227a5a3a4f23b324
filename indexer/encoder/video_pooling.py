"""The vectors of a video's frames → one vector for the video, by attention."""

from collections.abc import Sequence

import numpy as np

from magpie.indexer.vectors import unit_rows

_SHARPNESS = 5.0


def pool_frames(keys: Sequence[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Each key once, in order, and one (dim,) unit row for it; (n, dim) rows of the same key are its frames."""
    distinct = list(dict.fromkeys(keys))
    if len(distinct) == len(keys):
        return distinct, vectors
    owners = np.array([distinct.index(key) for key in keys])
    return distinct, unit_rows(np.stack([_attend(vectors[owners == k]) for k in range(len(distinct))]))


def _attend(frames: np.ndarray) -> np.ndarray:
    """Attention with the frames' mean as query: softmax(s · frames @ mean) weighs them, and title cards and black
    frames, which resemble few others, say little."""
    scores = _SHARPNESS * frames @ unit_rows(frames.mean(axis=0)[None])[0]
    weights = np.exp(scores - scores.max())
    return np.asarray(weights @ frames / weights.sum())
