"""Counts the values of all facet columns over a set of rows in one pass."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Countable(Protocol):
    """A column whose values can be counted."""

    @property
    def values_as_words(self) -> list[str]:
        """The distinct values by code."""

    @property
    def only_codes(self) -> np.ndarray | None:
        """(n,) the code of each row, -1 without one; None where a row has several."""

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two (m,) arrays, an entry for each value of these rows: the place in `rows`, and the code."""


class FacetTable:
    """Numbers all distinct values of several columns consecutively, in alphabetical order within each column.

    Columns with one value per row form one (n, columns) table of these numbers, so that counting reads each row from
    memory once instead of once per column, which is most of what counting costs.
    """

    def __init__(self, columns: Mapping[str, Countable], num_rows: int) -> None:
        self._names = list(columns)
        self._values: list[str] = []
        self._several: list[tuple[Countable, np.ndarray]] = []  # a column of lists, and the number of each of its codes
        lengths, singles = [], []
        for column in columns.values():
            words, codes = column.values_as_words, column.only_codes
            order = sorted(range(len(words)), key=words.__getitem__)
            numbers = np.empty(len(words) + 1, np.int64)
            numbers[order] = len(self._values) + np.arange(len(words))
            numbers[-1] = -1  # of a row without a value, whose code is -1
            self._values += [words[code] for code in order]
            lengths.append(len(words))
            if codes is None:
                self._several.append((column, numbers))
            else:
                singles.append(numbers[codes])
        total = len(self._values)
        self._column_of = np.repeat(np.arange(len(lengths)), lengths)
        table = np.stack(singles, axis=1) if singles else np.zeros((num_rows, 0), np.int64)
        self._single = np.where(table < 0, total, table).astype(np.uint16 if total < 2**16 else np.int32)

    def count(self, rows: np.ndarray, most: int | None) -> dict[str, list[tuple[str, int]]]:
        """By column the (value, number of rows) pairs of the `most` frequent values, of all where it is None, the most
        frequent first, ties in alphabetical order; columns of which no row has a value are left out."""
        numbers = [self._single.take(rows, axis=0).ravel()]
        numbers += [of_codes[column.pairs(rows)[1]] for column, of_codes in self._several]
        total = len(self._values)
        counts = np.bincount(np.concatenate(numbers) if self._several else numbers[0], minlength=total)[:total]
        found = counts.nonzero()[0]
        # no count is above the number of rows, so this orders by column and then by count, the largest first
        keys = self._column_of[found] * (len(rows) + 1) - counts[found]
        found = found[keys.argsort(kind="stable")]
        ends = self._column_of[found].searchsorted(np.arange(len(self._names)), side="right").tolist()
        frequent: dict[str, list[tuple[str, int]]] = {}
        start = 0
        for name, end in zip(self._names, ends, strict=True):
            if end > start:
                chosen = found[start : end if most is None else min(end, start + most)]
                words = [self._values[number] for number in chosen.tolist()]
                frequent[name] = list(zip(words, counts[chosen].tolist(), strict=True))
            start = end
        return frequent
