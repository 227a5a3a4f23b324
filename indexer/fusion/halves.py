"""Puts the contributions of an item's parts side by side, so that each query can weigh them on its own side.

A fused row is [text | picture]: the two contributions, divided by the length of their sum. Its product with the query
that stands twice, [w_text · q | w_image · q], is w_text · (q · text) + w_image · (q · picture): one product, one index,
whatever the weights. With both weights 1 it is the cosine with the sum of the halves, the item's own vector.
"""

from collections.abc import Mapping

import numpy as np

from magpie.indexer.fusion.average_fusion import PARTS, Fusion

_BLOCK_ROWS = 8_192
_ZERO = 1e-12  # a shorter row has no direction


def fuse_halves(contributions: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n, 2·dim) float32 [text | picture] of (n, dim) contributions by part, divided by the length of their sum.

    An item with no parts keeps a zero row.
    """
    lengths = np.linalg.norm(sum(contributions.values()), axis=1, keepdims=True)
    halves = np.concatenate([contributions[name] for name in PARTS], axis=1)
    return np.asarray(halves / np.where(lengths > _ZERO, lengths, np.inf), np.float32)


def fuse_all(fusion: Fusion, parts: Mapping[str, np.ndarray], text_weights: np.ndarray) -> np.ndarray:
    """(n, 2·dim) fused rows of a whole catalogue, block by block to bound memory."""
    blocks = range(0, len(text_weights), _BLOCK_ROWS)
    rows = [slice(start, start + _BLOCK_ROWS) for start in blocks]
    fused = [fuse_halves(fusion.contributions({n: p[at] for n, p in parts.items()}, text_weights[at])) for at in rows]
    return np.concatenate(fused) if fused else np.zeros((0, sum(part.shape[1] for part in parts.values())), np.float32)


def halves_of(fused: np.ndarray) -> dict[str, np.ndarray]:
    """The (n, dim) halves of (n, 2·dim) fused rows by part: views."""
    return dict(zip(PARTS, np.split(fused, len(PARTS), axis=-1), strict=True))


def sum_halves(fused: np.ndarray) -> np.ndarray:
    """(n, dim) float32 sums of the halves of (n, 2·dim) rows; of fused rows, unit rows up to rounding."""
    text, image = np.split(np.asarray(fused, np.float32), 2, axis=-1)
    return np.asarray(text + image)


def stand_twice(queries: np.ndarray, text: float = 1.0, image: float = 1.0) -> np.ndarray:
    """(…, 2·dim) float32 [text · q | image · q] of (…, dim) queries, to be compared with fused rows."""
    return np.concatenate([np.float32(text) * queries, np.float32(image) * queries], axis=-1)
