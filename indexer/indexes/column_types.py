"""One attribute column of an index: words by code or numbers, and the values that people write and filters compare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from magpie.data.catalogue.catalogue import Value
from magpie.data.catalogue.category_paths import Key, branch_keys, key_of
from magpie.data.catalogue.instants import format_instant, instant_of


@dataclass(frozen=True)
class WordColumn:
    """A column of words: row r has `codes[starts[r]:starts[r + 1]]`, codes into `vocabulary`."""

    vocabulary: list[str]
    starts: np.ndarray  # (n + 1,) int64
    codes: np.ndarray  # (m,) int32

    def rows_with(self, values: Iterable[str]) -> np.ndarray:
        """(n,) bool: rows with at least one of the values; letter case does not matter."""
        wanted = {v.casefold() for v in values}
        return self._rows_of(np.array([word.casefold() in wanted for word in self.vocabulary], bool))

    def rows_below(self, paths: Iterable[str]) -> np.ndarray:
        """(n,) bool: rows with one of these category paths, or with one below it in its own branch."""
        chosen = np.zeros(len(self.vocabulary), bool)
        for path in paths:
            chosen[self._codes_below.get(key_of(path), [])] = True
        return self._rows_of(chosen)

    @cached_property
    def _codes_below(self) -> dict[Key, list[int]]:
        """By the key of a category path the codes of the values that are it or lie below it."""
        below: dict[Key, list[int]] = {}
        for code, word in enumerate(self.vocabulary):
            for key in branch_keys(word):
                below.setdefault(key, []).append(code)
        return below

    def _rows_of(self, chosen: np.ndarray) -> np.ndarray:
        """(n,) bool: rows with at least one of the values whose codes are chosen, (v,) bool."""
        mask = np.zeros(len(self.starts) - 1, bool)
        if chosen.any():
            owners = np.repeat(np.arange(len(mask)), np.diff(self.starts))
            mask[owners[chosen[self.codes]]] = True
        return mask

    @property
    def is_filled(self) -> np.ndarray:
        """(n,) bool: rows with a value."""
        return np.diff(self.starts) > 0

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
        return float((self.shares**2).sum())

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of each value among all, by code."""
        counts = np.bincount(self.codes, minlength=len(self.vocabulary)).astype(np.float64)
        return counts / max(1.0, counts.sum())

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
    """A column of numbers, or of dates as instants in seconds since 1970: (n,) float64, NaN where a row has none.

    `odd` are the words of rows that have no number but something else, None where no row has; they can be found by
    their value, and are in no range or facet. `spelt` are, of dates, all values as they were written, None of numbers.
    """

    values: np.ndarray
    odd: WordColumn | None = None
    spelt: WordColumn | None = None

    @property
    def is_dates(self) -> bool:
        """Whether the numbers are instants."""
        return self.spelt is not None

    @property
    def is_filled(self) -> np.ndarray:
        """(n,) bool: rows with a number or something odd."""
        filled = ~np.isnan(self.values)
        return filled if self.odd is None else filled | self.odd.is_filled

    @property
    def num_distinct(self) -> int:
        """The number of distinct numbers."""
        return len(self._coded[0])

    @cached_property
    def _coded(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct numbers, ascending, and (n,) the place of each row's among them, their count without one."""
        distinct, codes = np.unique(self.values, return_inverse=True)
        return distinct[~np.isnan(distinct)], codes

    def rows_with(self, values: Iterable[str]) -> np.ndarray:
        """(n,) bool: rows whose number, or one of whose odd words, equals one of the values, written as text."""
        wanted = list(values)
        numbers = np.array([to_instant(value) if self.is_dates else to_number(value) for value in wanted])
        mask = np.isin(self.values, numbers[~np.isnan(numbers)])
        return mask if self.odd is None else mask | self.odd.rows_with(wanted)

    def rows_within(self, ends: Iterable[tuple[str, float]]) -> np.ndarray:
        """(n,) bool: rows inside all the ends, by operator; a row without a number is outside."""
        return within(self.values, ends)

    @property
    def values_as_words(self) -> list[str]:
        """The distinct numbers by code, as people write them; dates in UTC."""
        write = format_instant if self.is_dates else format_number
        return [write(number) for number in self._coded[0].tolist()]

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


def within(numbers: np.ndarray, ends: Iterable[tuple[str, float]]) -> np.ndarray:
    """(n,) bool: which of these numbers lie inside all the ends; NaN lies outside."""
    mask = ~np.isnan(numbers)
    for operator, bound in ends:
        with np.errstate(invalid="ignore"):
            mask &= getattr(np, _COMPARISONS[operator])(numbers, bound)
    return mask


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


def to_instant(value: str) -> float:
    """The date or time in seconds since 1970, NaN if it is neither."""
    instant = instant_of(value)
    return float("nan") if instant is None else instant
