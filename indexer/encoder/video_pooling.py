"""Pools the vectors of a video's frames into one vector, by attention."""

from collections.abc import Sequence

import numpy as np

from magpie.indexer.vectors import unit_rows

_SHARPNESS = 5.0


def pool_frames(keys: Sequence[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The m distinct keys in order, and (m, dim) unit rows: one vector for each key.

    `vectors` (n, dim) are unit rows, one for each of the n `keys`; rows with the same key are frames of one video.
    """
    distinct = list(dict.fromkeys(keys))
    if len(distinct) == len(keys):
        return distinct, vectors
    owners = np.array([distinct.index(key) for key in keys])
    return distinct, unit_rows(np.stack([_attend(vectors[owners == k]) for k in range(len(distinct))]))


def _attend(frames: np.ndarray) -> np.ndarray:
    """(dim,) weighted mean of (m, dim) frames, with weights softmax(s · frames @ mean): attention with the frames' mean
    as query. Title cards and black frames, which resemble few others, get little weight."""
    scores = _SHARPNESS * frames @ unit_rows(frames.mean(axis=0)[None])[0]
    weights = np.exp(scores - scores.max())
    return np.asarray(weights @ frames / weights.sum())
