"""What is searched at one moment: the published generation, and in a small second segment what changed after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from indexer.columns import Columns, NumberColumn
from indexer.lexical_index import LexicalIndex
from indexer.vector_index import VectorIndex


@dataclass(frozen=True)
class Segment:
    """Items with everything that a search needs of them; all arrays are in row order.

    `parts` and `fused` are (n, dim) unit rows, `ids` (n,) ascending `items.id`, `dead` (n,) bool rows that
    were deleted or changed since, `text_weights` (n,) the weight of the text in the fused vector.
    """

    ids: np.ndarray
    parts: Mapping[str, np.ndarray]
    fused: np.ndarray
    text_weights: np.ndarray
    indexes: Mapping[str, VectorIndex]
    lexical: LexicalIndex
    columns: Columns
    dead: np.ndarray

    @cached_property
    def prices(self) -> np.ndarray:
        """(n,) price of each row, NaN where it has none."""
        if "price" in self.columns and isinstance(column := self.columns["price"], NumberColumn):
            return column.values
        return np.full(len(self.ids), np.nan)

    @cached_property
    def is_wordless(self) -> np.ndarray:
        """(n,) bool items that have no text at all."""
        return ~np.asarray(self.parts["text"].any(axis=1))

    def row_of(self, id_: int) -> int | None:
        """The row of a living item, None where it is not here."""
        row = int(np.searchsorted(self.ids, id_))
        is_here = row < len(self.ids) and self.ids[row] == id_ and not self.dead[row]
        return row if is_here else None

    def vector_of(self, row: int, mode: str) -> np.ndarray | None:
        """(dim,) float32: the part of an item that a mode compares, or its fused vector where it lacks that part."""
        for vectors in (self.parts.get(mode), self.fused):
            if vectors is not None and vectors[row].any():
                return np.asarray(vectors[row], np.float32)
        return None


def find_item(segments: Sequence[Segment], id_: int, mode: str) -> np.ndarray | None:
    """The (dim,) vector of an item, None where no segment has it or it has neither words nor a picture."""
    for segment in segments:
        row = segment.row_of(id_)
        if row is not None:
            return segment.vector_of(row, mode)
    return None
