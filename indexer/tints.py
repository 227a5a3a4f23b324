"""Pictures → tints, the colours that stand in for them on a page until they are there: found when they are decoded."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from indexer.embedding_cache import EmbeddingCache

NO_TINT = 255  # of each channel: white, which needs no stand-in
_ITEMS_AT_ONCE = 20_000


def find_tint(image: Image.Image) -> bytes:
    """Red, green and blue (a byte each) of what the RGB picture shows most of.

    That is the mean of the fullest of 64 cells of colour, over 256 pixels: a twentieth of what decoding costs.
    """
    sample = np.asarray(image.resize((16, 16), Image.Resampling.NEAREST)).reshape(-1, 3)
    cells = (sample >> 6) @ np.array([16, 4, 1])
    mean = sample[cells == np.bincount(cells).argmax()].mean(axis=0)
    return mean.round().astype(np.uint8).tobytes()


def first_tints(cache: EmbeddingCache, pictures: Sequence[Sequence[str]]) -> np.ndarray:
    """(n, 3) uint8 of each item's first picture (by content hash), NO_TINT where that is not known."""
    tints = np.full((len(pictures), 3), NO_TINT, np.uint8)
    for start in range(0, len(pictures), _ITEMS_AT_ONCE):
        first = {row: keys[0] for row, keys in enumerate(pictures[start : start + _ITEMS_AT_ONCE], start) if keys}
        found = cache.get_tints(list(first.values()))
        for row, key in first.items():
            if key in found:
                tints[row] = np.frombuffer(found[key], np.uint8)
    return tints
