"""The attribute columns of an index: which rows pass a filter, facet counts, and the values that rows are sorted by.

Everything is numpy, so a filter over a million rows takes milliseconds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from magpie.data.catalogue.catalogue import Value
from magpie.data.errors import BadFilter, UnknownField
from magpie.indexer.indexes.column_types import Column, NumberColumn, WordColumn, words_of
from magpie.indexer.indexes.facet_table import FacetTable

# Values of one field are or-ed; a range is {"gte" | "gt" | "lte" | "lt": number}. Fields are and-ed.
FilterValue = list[str] | Mapping[str, float]
RANGE_OPERATORS = ("gte", "gt", "lte", "lt")
FACET_VALUES = 30  # of a column, the most frequent ones
_MAX_FACET_VALUES = 1000  # a column of more distinct words is no facet; it can be filtered by
_FORMAT = 1


def check_names(names: Iterable[str], segments: Sequence["Columns"], use: str, also: Sequence[str] = ()) -> None:
    """Raises UnknownField for a name that no segment has a column of, and that is not among `also`."""
    known = {name for columns in segments for name in columns.names}
    for name in names:
        if name not in known and name not in also:
            fields = ", ".join([*also, *sorted(known)])
            raise UnknownField(f"There is no field {name!r} to {use} by; there are: {fields}.")


class Columns:
    """The columns of one generation by name."""

    def __init__(self, columns: dict[str, Column], num_rows: int) -> None:
        self._columns = columns
        self.num_rows = num_rows

    @property
    def names(self) -> list[str]:
        return sorted(self._columns)

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    @cached_property
    def grouping(self) -> dict[str, WordColumn]:
        """The columns of words that are shared by several items: neither titles nor near-unique names."""
        most = min(_MAX_FACET_VALUES, max(2, self.num_rows // 2))
        return {
            name: column
            for name, column in sorted(self._columns.items())
            if isinstance(column, WordColumn) and name != "title" and 1 < column.num_distinct <= most
        }

    def vocabularies(self, most: int = 100) -> dict[str, list[str]]:
        """The vocabulary of every column of words that has at most `most` distinct values."""
        return {
            name: column.vocabulary
            for name, column in self._columns.items()
            if isinstance(column, WordColumn) and len(column.vocabulary) <= most
        }

    def allowed(self, filters: Mapping[str, FilterValue]) -> np.ndarray | None:
        """(n,) bool rows that pass all the filters, None where there are none. Raises BadFilter.

        A filter on a column that this segment lacks passes no row; `check_names` refuses names that no segment has.
        """
        if not filters:
            return None
        mask = np.ones(self.num_rows, bool)
        for name, wanted in filters.items():
            column = self._columns.get(name)
            if column is None:
                mask[:] = False
                continue
            if not isinstance(wanted, Mapping):
                mask &= column.rows_with(_as_words(name, wanted))
            elif isinstance(column, NumberColumn):
                mask &= column.rows_within(_checked_bounds(name, wanted))
            else:
                raise UnknownField(f"The filter on {name!r} is a range, but it holds words; give a list of values.")
        return mask

    @cached_property
    def _facet_table(self) -> FacetTable:
        most = {WordColumn: _MAX_FACET_VALUES, NumberColumn: FACET_VALUES}
        fitting = {
            name: column
            for name, column in self._columns.items()
            if name != "title" and column.num_distinct <= most[type(column)]
        }
        return FacetTable(fitting, self.num_rows)

    def facets(self, rows: np.ndarray) -> dict[str, list[tuple[str, int]]]:
        """By column the (value, count) pairs of the most frequent values in these rows, the most frequent first.

        Columns of too many distinct values are left out.
        """
        return self._facet_table.count(rows, FACET_VALUES)

    def numbers(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """By column of numbers the numbers of these rows, NaN left out; columns without any are left out."""
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
            if isinstance(column, WordColumn):
                described[name] = {"place": place, "vocabulary": column.vocabulary}
                arrays[f"{place}.starts"], arrays[f"{place}.codes"] = column.starts, column.codes
            else:
                described[name] = {"place": place}
                arrays[f"{place}.values"] = column.values
        text = json.dumps({"format": _FORMAT, "num_rows": self.num_rows, "columns": described}, ensure_ascii=False)
        (folder / "columns.json").write_text(text, encoding="utf-8")
        with (folder / "columns.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "Columns":
        """The columns that `save` wrote. Raises OSError, ValueError, KeyError."""
        described = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
        columns: dict[str, Column] = {}
        with np.load(folder / "columns.npz") as arrays:
            for name, about in described["columns"].items():
                place = about["place"]
                if "vocabulary" in about:
                    columns[name] = WordColumn(about["vocabulary"], arrays[f"{place}.starts"], arrays[f"{place}.codes"])
                else:
                    columns[name] = NumberColumn(arrays[f"{place}.values"])
        return cls(columns, described["num_rows"])


def _as_words(name: str, wanted: Sequence[Value] | Value) -> list[str]:
    values: list[Value] = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]  # type: ignore[list-item]
    if not values:
        raise BadFilter(f"The filter on {name!r} has no values; leave it out or give at least one.")
    return [word for value in values for word in words_of(value)]


def _checked_bounds(name: str, bounds: Mapping[str, float]) -> dict[str, float]:
    for operator, bound in bounds.items():
        if operator not in RANGE_OPERATORS:
            raise BadFilter(
                f"The filter on {name!r} uses {operator!r}; the operators are {', '.join(RANGE_OPERATORS)}."
            )
        if isinstance(bound, bool) or not isinstance(bound, (int, float)) or bound != bound:
            raise BadFilter(f"The filter on {name!r} compares with {bound!r}, which is not a number.")
    if not bounds:
        raise BadFilter(f"The filter on {name!r} is empty; the operators are {', '.join(RANGE_OPERATORS)}.")
    return {operator: float(bound) for operator, bound in bounds.items()}
