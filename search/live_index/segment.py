"""Defines a segment, the unit of search: items with their vectors and indexes; the generation is one of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from magpie.data.catalogue.attribute_types import Kind
from magpie.indexer.fusion.average_fusion import PARTS, Fusion, informativeness
from magpie.indexer.fusion.click_part import ClickPart
from magpie.indexer.fusion.halves import fuse_halves, halves_of, stand_twice, sum_halves
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.column_types import NumberColumn
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.indexes.vector_index import VectorIndex

_SAMPLE_ROWS = 2_000
_WHOLE_ROWS = 4_000
_CACHED_BY_ROWS = (
    "prices",
    "is_wordless",
    "has_wordless",
    "reference_sample",
    "whole_rows",
    "with_and_without_words",
)  # properties that do not depend on `dead`
_FEWEST_INFORMATIVE = 20


@dataclass(frozen=True)
class ReferenceSample:
    """A sample of items with text and picture, from which usual similarities are estimated.

    `parts` are (m, dim) float32 unit rows by part, of items with an informative text where there are enough;
    `typical_informativeness` is the mean over sampled items with both parts, 1 where there are none.
    """

    parts: Mapping[str, np.ndarray]
    typical_informativeness: float


@dataclass(frozen=True)
class Segment:
    """n items with their vectors, indexes and columns; all arrays are in row order.

    `ids` (n,) are ascending `items.id`; `parts` (n, dim) unit rows; `dead` (n,) bool marks items that were
    changed or deleted since; `text_weights` (n,) are the weights of the text in fusion; `dominant_colours` (n, 3) uint8
    those of the first pictures. `fused` (n, 2·dim) is the `fusion` of the parts side by side, moved by `click_part`
    towards clicked queries; where an older Magpie built the index, the (n, dim) sums of these halves.
    Every change of the catalogue up to `revision` is in this segment or an earlier one. `folder` holds its files; None
    for one that is in memory only, and for the generation.
    """

    ids: np.ndarray
    parts: Mapping[str, np.ndarray]
    fused: np.ndarray
    text_weights: np.ndarray
    dominant_colours: np.ndarray
    fusion: Fusion
    click_part: ClickPart
    indexes: Mapping[str, VectorIndex]
    lexical: LexicalIndex
    columns: Columns
    dead: np.ndarray
    revision: int = 0
    folder: Path | None = None

    @cached_property
    def prices(self) -> np.ndarray:
        """(n,) float prices, NaN where an item has none."""
        if "price" in self.columns and isinstance(column := self.columns["price"], NumberColumn):
            return column.values
        return np.full(len(self.ids), np.nan)

    def dominant_colour(self, row: int) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255: the dominant colour of the first picture of the row's item."""
        red, green, blue = self.dominant_colours[row].tolist()
        return red, green, blue

    @cached_property
    def is_wordless(self) -> np.ndarray:
        """(n,) bool: items without a text vector."""
        return ~np.asarray(self.parts["text"].any(axis=1))

    @cached_property
    def has_wordless(self) -> bool:
        """Whether any item is wordless."""
        return bool(self.is_wordless.any())

    def informativeness(self, rows: np.ndarray) -> np.ndarray:
        """(m,) informativeness of the texts of these (m,) rows, from 0 to 1."""
        return informativeness(self.text_weights[rows])

    @cached_property
    def reference_sample(self) -> ReferenceSample:
        """The reference sample, spread evenly over the rows."""
        rows = np.unique(np.linspace(0, max(0, len(self.ids) - 1), min(_SAMPLE_ROWS, len(self.ids)), dtype=np.int64))
        sample = {name: np.asarray(self.parts[name][rows], np.float32) for name in PARTS}
        both = sample["text"].any(axis=1) & sample["image"].any(axis=1)
        informativeness = self.informativeness(rows)
        informative_both = both & (informativeness > 0.5)
        chosen = informative_both if np.count_nonzero(informative_both) >= _FEWEST_INFORMATIVE else both
        typical = float(informativeness[both].mean()) if both.any() else 1.0
        return ReferenceSample({name: vectors[chosen] for name, vectors in sample.items()}, typical)

    @cached_property
    def whole_rows(self) -> np.ndarray:
        """(m,) rows of items with text and picture, at most 4,000, spread evenly."""
        whole = np.flatnonzero(~self.is_wordless & np.asarray(self.parts["image"].any(axis=1)))
        return whole[np.linspace(0, len(whole), min(_WHOLE_ROWS, len(whole)), endpoint=False, dtype=np.int64)]

    @cached_property
    def with_and_without_words(self) -> tuple[np.ndarray, np.ndarray]:
        """Two (m, 2·dim) float32 arrays of fused rows of `whole_rows`: as they are, and as if they had no text."""
        rows = self.whole_rows
        pictures = np.asarray(self.parts["image"][rows], np.float32)
        alone = {"text": np.zeros_like(pictures), "image": pictures}
        wordless = fuse_halves(self.fusion.contributions(alone, self.text_weights[rows]))
        return np.asarray(self.fused[rows], np.float32), wordless if self.has_halves else sum_halves(wordless)

    @property
    def num_living(self) -> int:
        """The number of living items."""
        return len(self.ids) - int(np.count_nonzero(self.dead))

    @property
    def living_ids(self) -> np.ndarray:
        """(m,) ascending `items.id` of the living items."""
        return self.ids[~self.dead]

    def without(self, ids: np.ndarray) -> "Segment":
        """This segment with the items of these (m,) `items.id` dead too; cached properties are kept."""
        rows = np.searchsorted(self.ids, ids)
        rows = rows[rows < len(self.ids)] if len(self.ids) else rows[:0]
        rows = rows[np.isin(self.ids[rows], ids) & ~self.dead[rows]]
        if not len(rows):
            return self
        dead = self.dead.copy()
        dead[rows] = True
        return self._with(replace(self, dead=dead))

    def as_kinds(self, kinds: Mapping[str, Kind]) -> "Segment":
        """The same with the columns by the kinds that the attributes have now."""
        columns = self.columns.as_kinds(kinds)
        return self if columns is self.columns else self._with(replace(self, columns=columns))

    def _with(self, other: "Segment") -> "Segment":
        """The other segment, of the same rows, with what was worked out of them."""
        vars(other).update({name: vars(self)[name] for name in _CACHED_BY_ROWS if name in vars(self)})
        return other

    def row_of(self, id_: int) -> int | None:
        """The row of a living item by `items.id`; None where the segment does not have it."""
        row = int(np.searchsorted(self.ids, id_))
        is_here = row < len(self.ids) and self.ids[row] == id_ and not self.dead[row]
        return row if is_here else None

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """(m,) rows of the living items of these (m,) `items.id`, -1 where the segment does not have one."""
        if not len(self.ids):
            return np.full(len(ids), -1)
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where((self.ids[rows] == ids) & ~self.dead[rows], rows, -1)

    @property
    def has_halves(self) -> bool:
        """Whether `fused` has a half for each part; False where an older Magpie built the index."""
        return bool(self.fused.shape[1] > self.parts["text"].shape[1])

    def own_vectors(self, rows: np.ndarray) -> np.ndarray:
        """(m, dim) float32 unit vectors of these (m,) rows' items: the sums of their halves, zero without parts."""
        fused = np.asarray(self.fused[rows], np.float32)
        return sum_halves(fused) if self.has_halves else fused

    def fused_query(self, query: np.ndarray, text: float = 1.0, image: float = 1.0) -> np.ndarray:
        """The (dim,) query vector as it is compared with `fused`: each half by its weight."""
        return stand_twice(query, text, image) if self.has_halves else query * np.float32((text + image) / 2)

    def text_halves(self, rows: np.ndarray) -> np.ndarray:
        """(m, dim) float32 halves of the texts in the fused rows of these (m,) rows.

        Those of an older Magpie's index are worked out anew: a part without weight was missing or masked.
        """
        if self.has_halves:
            return halves_of(np.asarray(self.fused[rows], np.float32))["text"]
        weights = self.text_weights[rows]
        kept = {"text": weights > 0, "image": weights < 1}
        parts = {name: np.where(kept[name][:, None], self.parts[name][rows], np.float32(0)) for name in PARTS}
        anew = fuse_halves(self.fusion.contributions(parts, weights))
        return halves_of(self.click_part.apply(self.ids[rows], anew))["text"]

    def vector_of(self, row: int, mode: str) -> np.ndarray | None:
        """(dim,) float32: the item's part called `mode`, else its own vector; None where both are missing."""
        part = self.parts.get(mode)
        if part is not None and part[row].any():
            return np.asarray(part[row], np.float32)
        own = self.own_vectors(np.array([row]))[0]
        return own if own.any() else None

    def parts_of(self, row: int) -> dict[str, np.ndarray]:
        """The (dim,) float32 vectors of the parts that the row's item has."""
        return {name: np.asarray(rows[row], np.float32) for name, rows in self.parts.items() if rows[row].any()}


def find_row(segments: Sequence[Segment], id_: int) -> tuple[Segment, int] | None:
    """The segment of a living item by `items.id`, and its row there; None where no segment has it."""
    for segment in segments:
        row = segment.row_of(id_)
        if row is not None:
            return segment, row
    return None


def dominant_colour_of(segments: Sequence[Segment], id_: int) -> tuple[int, int, int] | None:
    """Red, green and blue: the dominant colour of the item's first picture; None where the item is not indexed."""
    found = find_row(segments, id_)
    return found[0].dominant_colour(found[1]) if found else None
