"""The click part: moves an item's fused vector towards the queries that led people to it.

The words that people use for an item need not be in its title, nor visible in its picture. The click part is kept
apart from what the item itself says: its share is bounded, and it enters only the fused vector.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.indexer.fusion.halves import sum_halves
from magpie.indexer.vectors import unit_rows

_USUAL_WEIGHT = 1.0  # sum of an item's query weights at which its share is half of the greatest


@dataclass(frozen=True)
class ClickPart:
    """The click parts of the items that have one.

    `ids` (m,) int64 are `items.id`, ascending. `offsets` (m, dim) float32 are each the unit mean of an item's queries
    times its share in the fused vector.
    """

    ids: np.ndarray
    offsets: np.ndarray

    def apply(self, ids: np.ndarray, fused: np.ndarray) -> np.ndarray:
        """(n, 2·dim) rows: (1 - share) · fused + offset of items with a click part; others unchanged.

        `fused` are the (n, 2·dim) fused rows of the items' own parts; zero rows stay zero. The offset is added to the
        text's half, since queries are words, and both halves are divided by the length of their new sum.
        """
        place, known = self._find(ids)
        known &= fused.any(axis=1)
        moved = fused.copy()
        offsets = self.offsets[place[known]]
        own = (1 - _lengths(offsets)) * fused[known]
        own[:, : offsets.shape[1]] += offsets
        moved[known] = own / _lengths(sum_halves(own))
        return moved

    def split(self, id_: int, fused: np.ndarray) -> tuple[float, np.ndarray]:
        """Takes the (dim,) sum of the halves of a row of `apply` apart: (factor, addend), sum = factor · own + addend.

        `own` is the unit vector of the item's own parts, `addend` (dim,) what its queries contribute.
        """
        place, known = self._find(np.array([id_]))
        if not known[0]:
            return 1.0, np.zeros_like(fused)
        offset = self.offsets[place[0]]
        own_share = 1 - float(np.linalg.norm(offset))
        # fused · length = own_share · own + offset, where fused and own are unit vectors
        along = float(fused @ offset)
        length = along + float(np.sqrt(max(0.0, along**2 + own_share**2 - float(offset @ offset))))
        return own_share / length, offset / length

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, ids=self.ids, pulls=self.offsets)

    @classmethod
    def load(cls, path: Path) -> "ClickPart":
        """The click part that `save` wrote. Raises OSError, ValueError, KeyError."""
        with np.load(path) as arrays:
            return cls(arrays["ids"], arrays["pulls"])

    @classmethod
    def nothing(cls, dim: int) -> "ClickPart":
        """No item has a click part."""
        return cls(np.zeros(0, np.int64), np.zeros((0, dim), np.float32))

    def _find(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) places of these ids among `self.ids`, and (n,) bool whether they are there."""
        if not len(self.ids):
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return place, self.ids[place] == ids


def fit_click_part(
    clicked: Mapping[str, Sequence[ClickedQuery]],
    numbers: Mapping[str, int],
    encode: Callable[[list[str]], np.ndarray],
    max_share: float,
) -> ClickPart:
    """The click part of the items in `numbers` (`items.id` by item id): share = max_share · w / (w + 1), where w is
    the sum of the weights of the queries that led people to the item.

    `clicked` holds those queries by item id; `encode` turns t queries into (t, dim) unit rows.
    """
    chosen = sorted(
        (numbers[item_id], queries) for item_id, queries in clicked.items() if queries and item_id in numbers
    )
    texts = sorted({query.text for _, queries in chosen for query in queries})
    vectors = encode(texts)
    if not chosen or max_share == 0:
        return ClickPart.nothing(vectors.shape[1])
    row_of = {text: row for row, text in enumerate(texts)}
    sums = np.stack([sum(q.weight * vectors[row_of[q.text]] for q in queries) for _, queries in chosen])
    weights = np.array([sum(query.weight for query in queries) for _, queries in chosen], np.float32)[:, None]
    offsets = max_share * weights / (weights + _USUAL_WEIGHT) * unit_rows(sums)
    return ClickPart(np.array([id_ for id_, _ in chosen], np.int64), offsets.astype(np.float32))


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=1, keepdims=True))
