"""The one place where vectors are scaled to unit length; every other room builds on it."""

import numpy as np

_ZERO = 1e-12  # a shorter row has no direction


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(…, dim) float32: the rows scaled to length 1; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(
        vectors, norms, out=np.zeros_like(vectors, dtype=np.float32), where=norms > _ZERO, dtype=np.float32
    )
