"""Calibrates confidence: the similarity from which a search's best candidates count as an answer."""

import numpy as np

_TOP = 3
_BLOCK_ROWS = 8_192
_QUANTILE = 0.1


def calibrate_confidence(queries: np.ndarray, vectors: np.ndarray) -> dict[str, float]:
    """`probes_p10`: the tenth percentile of the mean cosine of synthetic queries with their three nearest items.

    `queries` (q, 2·dim) are the centred unit rows of synthetic queries, standing twice, `vectors` (n, 2·dim) the fused
    rows. Without queries it is 1, so that no similarity suffices.
    """
    near = nearness(queries, vectors)
    return {"probes_p10": float(np.quantile(near, _QUANTILE)) if len(near) else 1.0}


def nearness(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(q,) mean inner product of each query with its three nearest rows."""
    if not len(vectors):
        return np.zeros(len(queries), np.float32)
    best = np.full((len(queries), _TOP), -1.0, np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        scores = queries @ vectors[start : start + _BLOCK_ROWS].T
        best = np.partition(np.concatenate([best, scores], axis=1), -_TOP, axis=1)[:, -_TOP:]
    return np.asarray(np.sort(best, axis=1)[:, -min(_TOP, len(vectors)) :].mean(axis=1))
