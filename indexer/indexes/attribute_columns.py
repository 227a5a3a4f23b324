"""The attribute columns of an index: which rows pass a filter, facet counts, and the values that rows are sorted by.

Words are stored as codes into a vocabulary (several per row for lists), numbers as float64 with NaN where a row has
none. Everything is numpy, so a filter over a million rows takes milliseconds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from magpie.data.catalogue.catalogue import Value
from magpie.data.errors import BadFilter, UnknownField
from magpie.indexer.indexes.facet_table import FacetTable

# Values of one field are or-ed; a range is {"gte" | "gt" | "lte" | "lt": number}. Fields are and-ed.
FilterValue = list[str] | Mapping[str, float]
RANGE_OPERATORS = ("gte", "gt", "lte", "lt")
FACET_VALUES = 30  # of a column, the most frequent ones
_MAX_FACET_VALUES = 1000  # a column of more distinct words is no facet; it can be filtered by
_FORMAT = 1


@dataclass(frozen=True)
class WordColumn:
    """A column of words: row r has `codes[starts[r]:starts[r + 1]]`, codes into `vocabulary`."""

    vocabulary: list[str]
    starts: np.ndarray  # (n + 1,) int64
    codes: np.ndarray  # (m,) int32

    def rows_with(self, values: Iterable[str]) -> np.ndarray:
        """(n,) bool: rows with at least one of the values; letter case does not matter."""
        wanted = {v.casefold() for v in values}
        chosen = np.array([word.casefold() in wanted for word in self.vocabulary], bool)
        mask = np.zeros(len(self.starts) - 1, bool)
        if chosen.any():
            owners = np.repeat(np.arange(len(mask)), np.diff(self.starts))
            mask[owners[chosen[self.codes]]] = True
        return mask

    @property
    def num_distinct(self) -> int:
        """The number of distinct values."""
        return len(self.vocabulary)

    @property
    def values_as_words(self) -> list[str]:
        """The distinct values by code."""
        return self.vocabulary

    @cached_property
    def code_of(self) -> dict[str, int]:
        """Codes by value in lower case."""
        return {word.casefold(): code for code, word in enumerate(self.vocabulary)}

    @cached_property
    def agreement(self) -> float:
        """The probability that two random values are equal, 0 without values (Simpson's index)."""
        counts = np.bincount(self.codes, minlength=1).astype(np.float64)
        return float(((counts / max(1.0, counts.sum())) ** 2).sum())

    def sums(self, rows: np.ndarray, worth: Mapping[str, float]) -> np.ndarray:
        """(n,) the sum of `worth` over the values of each row; a value that is not in `worth` counts 0."""
        by_code = np.zeros(len(self.vocabulary) + 1)
        for word, value in worth.items():
            by_code[self.code_of.get(word.casefold(), -1)] = value
        by_code[-1] = 0.0
        if self.only_codes is not None:
            return by_code[self.only_codes[rows]]
        return np.array([by_code[self.codes[self.starts[r] : self.starts[r + 1]]].sum() for r in rows])

    def words(self, row: int) -> list[str]:
        """The values of one row."""
        if self.only_codes is not None:
            code = int(self.only_codes[row])
            return [self.vocabulary[code]] if code >= 0 else []
        return [self.vocabulary[code] for code in self.codes[self.starts[row] : self.starts[row + 1]]]

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two (m,) arrays, an entry for each value of these rows: the place in `rows`, and the code."""
        if self.only_codes is not None:
            codes = self.only_codes[rows]
            known = np.flatnonzero(codes >= 0)
            return known, codes[known]
        lengths = self.starts[rows + 1] - self.starts[rows]
        owner = np.repeat(np.arange(len(rows)), lengths)
        at = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths - self.starts[rows], lengths)
        return owner, self.codes[at]

    @cached_property
    def only_codes(self) -> np.ndarray | None:
        """(n,) the code of each row, -1 without one; None where a row has several."""
        lengths = np.diff(self.starts)
        if (lengths > 1).any():
            return None
        codes = np.full(len(lengths), -1, np.int32)
        codes[lengths == 1] = self.codes
        return codes

    def first_codes(self) -> np.ndarray:
        """(n,) the code of each row's first value, -1 without one."""
        codes = np.full(len(self.starts) - 1, -1, np.int64)
        filled = np.diff(self.starts) > 0
        codes[filled] = self.codes[self.starts[:-1][filled]]
        return codes


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: (n,) float64, NaN where a row has none."""

    values: np.ndarray

    @property
    def num_distinct(self) -> int:
        """The number of distinct values."""
        return len(self._coded[0])

    @cached_property
    def _coded(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct numbers, ascending, and (n,) the place of each row's among them, their count without one."""
        distinct, codes = np.unique(self.values, return_inverse=True)
        return distinct[~np.isnan(distinct)], codes

    def rows_with(self, values: Iterable[str]) -> np.ndarray:
        """(n,) bool: rows whose number equals one of the values, which may be written as text."""
        mask = np.zeros(len(self.values), bool)
        for value in values:
            mask |= self.values == to_number(value)
        return mask

    def rows_within(self, bounds: Mapping[str, float]) -> np.ndarray:
        """(n,) bool: rows inside all the bounds; a row without a number is outside."""
        mask = ~np.isnan(self.values)
        for operator, bound in bounds.items():
            with np.errstate(invalid="ignore"):
                mask &= getattr(np, _COMPARISONS[operator])(self.values, bound)
        return mask

    @property
    def values_as_words(self) -> list[str]:
        """The distinct numbers by code, as people write them."""
        return [format_number(number) for number in self._coded[0].tolist()]

    @property
    def only_codes(self) -> np.ndarray:
        """(n,) the code of each row, -1 without a number."""
        distinct, codes = self._coded
        return np.where(codes < len(distinct), codes, -1)

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two (m,) arrays, an entry for each row with a number: the place in `rows`, and the code."""
        codes = self.only_codes[rows]
        known = np.flatnonzero(codes >= 0)
        return known, codes[known]


_COMPARISONS = {"gte": "greater_equal", "gt": "greater", "lte": "less_equal", "lt": "less"}
Column = WordColumn | NumberColumn


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
        """What `save` wrote."""
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


def words_of(value: Value) -> list[str]:
    """The value as the list of words that filters compare with."""
    if isinstance(value, list):
        return list(dict.fromkeys(str(v) for v in value))
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value] if isinstance(value, str) else [format_number(float(value))]


def format_number(number: float) -> str:
    """The number as people write it: 2016, not 2016.0."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


def to_number(value: object) -> float:
    """The value as a number, NaN if it is not one."""
    try:
        return float(value)  # type: ignore[arg-type]  # whatever cannot be a number is NaN, which equals nothing
    except (TypeError, ValueError):
        return float("nan")


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
