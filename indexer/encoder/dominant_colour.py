"""Finds the dominant colour of each picture while it is decoded; pages show it until the picture is loaded."""

from collections.abc import Sequence

import numpy as np

from magpie.indexer.encoder.embedding_cache import EmbeddingCache

NO_COLOUR = 255  # of each channel: white, which needs no stand-in
_ITEMS_AT_ONCE = 20_000


def find_dominant_colours(pixels: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 red, green and blue: the dominant colour of each of (n, height, width, 3) uint8 pictures.

    Some 256 pixels of each picture are counted in 64 cells of colour; the colour is the mean of the fullest cell.
    """
    n, height, width, _ = pixels.shape
    grid = pixels[:, :: max(1, height // 16), :: max(1, width // 16)]
    samples = grid.reshape(n, grid.shape[1] * grid.shape[2], 3)
    cells = (samples >> 6) @ np.array([16, 4, 1])
    counts = np.bincount((cells + 64 * np.arange(n)[:, None]).ravel(), minlength=64 * n).reshape(n, 64)
    is_most = (cells == counts.argmax(axis=1)[:, None]).astype(np.float32)
    means = np.einsum("np,npc->nc", is_most, samples.astype(np.float32)) / is_most.sum(axis=1)[:, None]
    return means.round().astype(np.uint8)


def first_dominant_colours(cache: EmbeddingCache, pictures: Sequence[Sequence[str]]) -> np.ndarray:
    """(n, 3) uint8 dominant colours of the first pictures of n items; NO_COLOUR where the cache has none.

    `pictures` are the content hashes of each item's pictures.
    """
    dominant_colours = np.full((len(pictures), 3), NO_COLOUR, np.uint8)
    for start in range(0, len(pictures), _ITEMS_AT_ONCE):
        first = {row: keys[0] for row, keys in enumerate(pictures[start : start + _ITEMS_AT_ONCE], start) if keys}
        found = cache.get_dominant_colours(list(first.values()))
        for row, key in first.items():
            if key in found:
                dominant_colours[row] = found[key]
    return dominant_colours
