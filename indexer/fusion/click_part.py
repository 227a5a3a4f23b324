"""The queries that led people to items → a third part of their vectors, kept apart from what the items say themselves.

People's words for a thing need not be in its title, nor visible. So an item that is chosen more often than the other
answers to a query leans towards that query: by a bounded share, and only in the fused vector, so that without this part
everything is as it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.indexer.vectors import unit_rows

_USUAL_WEIGHT = 1.0  # the sum of an item's queries' weights at which it leans half as far as it may


@dataclass(frozen=True)
class ClickedPart:
    """How far which item's fused vector leans, and where to.

    `ids` (m,) int64 are `items.id`, ascending; `pulls` (m, dim) float32 point to the mean of an item's queries, and are
    as long as the share that this mean has.
    """

    ids: np.ndarray
    pulls: np.ndarray

    def lean(self, ids: np.ndarray, fused: np.ndarray) -> np.ndarray:
        """(n, dim) unit rows: the fused vectors (n, dim) of these items, leaning. Zero rows stay zero."""
        place, known = self._find(ids)
        known &= fused.any(axis=1)
        leaning = fused.copy()
        pulls = self.pulls[place[known]]
        leaning[known] = unit_rows((1 - _lengths(pulls)) * fused[known] + pulls)
        return leaning

    def addend(self, id_: int, leaning: np.ndarray) -> tuple[float, np.ndarray]:
        """What makes up a leaning vector (dim,): the factor of the item's own, the (dim,) addend of its queries."""
        place, known = self._find(np.array([id_]))
        if not known[0]:
            return 1.0, np.zeros_like(leaning)
        pull = self.pulls[place[0]]
        kept = 1 - float(np.linalg.norm(pull))
        # leaning · length = kept · own + pull, where leaning and own are unit vectors
        along = float(leaning @ pull)
        length = along + float(np.sqrt(max(0.0, along**2 + kept**2 - float(pull @ pull))))
        return kept / length, pull / length

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, ids=self.ids, pulls=self.pulls)

    @classmethod
    def load(cls, path: Path) -> "ClickedPart":
        """What `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["ids"], arrays["pulls"])

    @classmethod
    def nothing(cls, dim: int) -> "ClickedPart":
        """No item leans."""
        return cls(np.zeros(0, np.int64), np.zeros((0, dim), np.float32))

    def _find(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) places of these ids among those that lean, and (n,) whether they are there."""
        if not len(self.ids):
            return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return place, self.ids[place] == ids


def make_clicked_part(
    clicked: Mapping[str, Sequence[ClickedQuery]],
    numbers: Mapping[str, int],
    encode: Callable[[list[str]], np.ndarray],
    most: float,
) -> ClickedPart:
    """The part of the items in `numbers` (item id → `items.id`), leaning by a share of `most` at the utmost.

    `encode` turns t queries into (t, dim) unit rows.
    """
    led = sorted((numbers[item_id], queries) for item_id, queries in clicked.items() if queries and item_id in numbers)
    texts = sorted({query.text for _, queries in led for query in queries})
    vectors = encode(texts)
    if not led or most == 0:
        return ClickedPart.nothing(vectors.shape[1])
    row_of = {text: row for row, text in enumerate(texts)}
    sums = np.stack([sum(q.weight * vectors[row_of[q.text]] for q in queries) for _, queries in led])
    weights = np.array([sum(query.weight for query in queries) for _, queries in led], np.float32)[:, None]
    pulls = most * weights / (weights + _USUAL_WEIGHT) * unit_rows(sums)
    return ClickedPart(np.array([id_ for id_, _ in led], np.int64), pulls.astype(np.float32))


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=1, keepdims=True))
