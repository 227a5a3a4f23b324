"""The attribute columns of an index: which rows pass a filter, facet counts, and the values that rows are sorted by.

Everything is numpy, so a filter over a million rows takes milliseconds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from magpie.data.catalogue.attribute_types import Kind
from magpie.data.errors import UnknownField
from magpie.indexer.indexes.column_kinds import as_kind, date_column
from magpie.indexer.indexes.column_types import Column, NumberColumn, WordColumn
from magpie.indexer.indexes.facet_table import FacetTable
from magpie.indexer.indexes.field_filter import Ends, FieldFilter, FilterValue, check_alone, read_filter, sort_out

FACET_VALUES = 30  # of a column, the most frequent ones
MAX_FACET_VALUES = 1000  # a column of more distinct words is no facet; it can be filtered by
_FORMAT = 1


def check_names(names: Iterable[str], segments: Sequence["Columns"], use: str, also: Sequence[str] = ()) -> None:
    """Raises UnknownField for a name that no segment has a column of, and that is not among `also`."""
    known = {name for columns in segments for name in columns.names}
    for name in names:
        if name not in known and name not in also:
            fields = ", ".join([*also, *sorted(known)])
            raise UnknownField(f"There is no field {name!r} to {use} by; there are: {fields}.")


class Columns:
    """The columns of one generation by name, and the kinds of the attributes by which they were built; an older
    Magpie kept no kinds."""

    def __init__(self, columns: dict[str, Column], num_rows: int, kinds: Mapping[str, Kind] | None = None) -> None:
        self._columns = columns
        self.num_rows = num_rows
        self._kinds = dict(kinds or {})
        self._facets: tuple[frozenset[str], FacetTable] | None = None

    @property
    def names(self) -> list[str]:
        return sorted(self._columns)

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def as_kinds(self, kinds: Mapping[str, Kind]) -> "Columns":
        """The same columns by the kinds that the attributes have now; this object where they had them before."""
        changed = {
            name: as_kind(column, kinds[name])
            for name, column in self._columns.items()
            if name in kinds and self._kinds.get(name) != kinds[name]
        }
        if all(column is self._columns[name] for name, column in changed.items()):
            return self
        return Columns({**self._columns, **changed}, self.num_rows, {**self._kinds, **kinds})

    @cached_property
    def grouping(self) -> dict[str, WordColumn]:
        """The columns of words that are shared by several items: neither titles nor near-unique names."""
        most = min(MAX_FACET_VALUES, max(2, self.num_rows // 2))
        return {
            name: column
            for name, column in sorted(self._columns.items())
            if isinstance(column, WordColumn) and name != "title" and 1 < column.num_distinct <= most
        }

    @cached_property
    def dates(self) -> frozenset[str]:
        """The names of the columns of dates."""
        return frozenset(name for name, one in self._columns.items() if isinstance(one, NumberColumn) and one.is_dates)

    def vocabularies(self, most: int = 100) -> dict[str, list[str]]:
        """The vocabulary of every column of words that has at most `most` distinct values."""
        return {
            name: column.vocabulary
            for name, column in self._columns.items()
            if isinstance(column, WordColumn) and len(column.vocabulary) <= most
        }

    def allowed(self, filters: Mapping[str, FilterValue]) -> np.ndarray | None:
        """(n,) bool rows that pass all the filters, None where there are none. Raises BadFilter, NotTogether.

        A column that this segment lacks is missing in all its rows; `check_names` refuses names that no segment has.
        """
        if not filters:
            return None
        mask = np.ones(self.num_rows, bool)
        for name, given in filters.items():
            mask &= self._passing(name, read_filter(name, given))
        return mask

    def _passing(self, name: str, wanted: FieldFilter) -> np.ndarray:
        column = self._columns.get(name)
        if column is None:
            return np.full(self.num_rows, wanted.passes_missing)
        mask = np.ones(self.num_rows, bool)
        if wanted.wants_values:
            values, ranges = sort_out(name, column, wanted.values, wanted.spans)
            check_alone(name, values, ranges)
            mask &= _rows_of(name, column, values, ranges)
        if wanted.exists is not None:
            mask &= column.is_filled if wanted.exists else ~column.is_filled
        if wanted.not_values or wanted.not_spans:
            mask &= ~_rows_of(name, column, *sort_out(name, column, wanted.not_values, wanted.not_spans))
        return mask

    def first_word(self, name: str, row: int) -> str:
        """The first value of a row in a column of words, "" without one."""
        column = self._columns.get(name)
        return next(iter(column.words(row)), "") if isinstance(column, WordColumn) else ""

    def facets(self, rows: np.ndarray, names: frozenset[str], most: int | None) -> dict[str, list[tuple[str, int]]]:
        """By column of these names the (value, count) pairs of the `most` frequent values in these rows, of all where
        it is None, the most frequent first; columns without any value in these rows are left out."""
        made = self._facets
        if made is None or made[0] != names:
            chosen = {name: column for name, column in self._columns.items() if name in names}
            made = self._facets = (names, FacetTable(chosen, self.num_rows))
        return made[1].count(rows, most)

    def numbers(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """By column of numbers or dates the numbers of these rows, NaN left out; columns without any are left out."""
        found = {}
        for name, column in self._columns.items():
            if isinstance(column, NumberColumn):
                numbers = column.values[rows]
                if len(numbers := numbers[~np.isnan(numbers)]):
                    found[name] = numbers
        return found

    def save(self, folder: Path) -> None:
        """Writes `columns.json` (names and vocabularies) and `columns.npz` (codes and numbers) into the folder."""
        described: dict[str, object] = {}
        arrays: dict[str, np.ndarray] = {}
        for place, (name, column) in enumerate(sorted(self._columns.items())):
            words: WordColumn | None = column if isinstance(column, WordColumn) else column.spelt
            if words is not None:
                described[name] = {"place": place, "vocabulary": words.vocabulary}
            elif isinstance(column, NumberColumn):
                words = column.odd
                described[name] = {"place": place} | ({"odd": words.vocabulary} if words is not None else {})
                arrays[f"{place}.values"] = column.values
            if words is not None:
                arrays[f"{place}.starts"], arrays[f"{place}.codes"] = words.starts, words.codes
        about = {"format": _FORMAT, "num_rows": self.num_rows, "kinds": self._kinds, "columns": described}
        text = json.dumps(about, ensure_ascii=False)
        (folder / "columns.json").write_text(text, encoding="utf-8")
        with (folder / "columns.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "Columns":
        """The columns that `save` wrote. Raises OSError, ValueError, KeyError."""
        described = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
        kinds = described.get("kinds") or {}
        columns: dict[str, Column] = {}
        with np.load(folder / "columns.npz") as arrays:
            for name, about in described["columns"].items():
                place = about["place"]
                if "vocabulary" in about:
                    spelt = WordColumn(about["vocabulary"], arrays[f"{place}.starts"], arrays[f"{place}.codes"])
                    columns[name] = date_column(spelt) if kinds.get(name) == "date" else spelt
                else:
                    odd = about.get("odd")
                    words = WordColumn(odd, arrays[f"{place}.starts"], arrays[f"{place}.codes"]) if odd else None
                    columns[name] = NumberColumn(arrays[f"{place}.values"], words)
        return cls(columns, described["num_rows"], kinds)


def _rows_of(name: str, column: Column, values: Sequence[str], ranges: Sequence[Ends]) -> np.ndarray:
    """(n,) bool: rows with one of the values or within one of the ranges; of a category also those below it."""
    mask = column.rows_with(values)
    if name == "category" and isinstance(column, WordColumn):
        return mask | column.rows_below(values)
    if isinstance(column, NumberColumn):
        for ends in ranges:
            mask |= column.rows_within(ends)
    return mask
