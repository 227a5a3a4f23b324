"""Builds the attribute columns of an index from items."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from magpie.data.catalogue.attribute_types import Kind
from magpie.data.catalogue.items import Item, Value
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.column_kinds import date_column
from magpie.indexer.indexes.column_types import Column, NumberColumn, WordColumn, words_of


@dataclass
class ColumnsBuilder:
    """Gathers columns row by row: title, category, price, currency and every attribute, by the attributes' kinds.

    A value that is not of its column's kind is set aside as odd where the column holds numbers.
    """

    kinds: Mapping[str, Kind]
    num_rows: int = 0
    _numbers: dict[str, dict[int, float]] = field(default_factory=dict)
    _words: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Appends one row."""
        row = self.num_rows
        self.num_rows += 1
        for name, value in fields_of(item).items():
            if self._is_number(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
                self._numbers.setdefault(name, {})[row] = float(value)
            else:
                self._words.setdefault(name, {})[row] = words_of(value)

    def build(self) -> Columns:
        columns: dict[str, Column] = {}
        for name, by_row in self._words.items():
            words = self._word_column(by_row)
            columns[name] = date_column(words) if self.kinds.get(name) == "date" else words
        for name in {*self._numbers, *filter(self._is_number, self._words)}:
            numbers = self._numbers.get(name, {})
            values = np.full(self.num_rows, np.nan)
            values[list(numbers)] = list(numbers.values())
            odd = columns.get(name)
            columns[name] = NumberColumn(values, odd if isinstance(odd, WordColumn) else None)
        return Columns(columns, self.num_rows, {name: self.kinds[name] for name in columns if name in self.kinds})

    def _is_number(self, name: str) -> bool:
        return name == "price" or self.kinds.get(name) == "number"

    def _word_column(self, by_row: dict[int, list[str]]) -> WordColumn:
        counted = Counter(word for words in by_row.values() for word in words)
        vocabulary = sorted(counted, key=lambda word: (-counted[word], word))
        code_of = {word: code for code, word in enumerate(vocabulary)}
        lengths = np.zeros(self.num_rows, np.int64)
        lengths[list(by_row)] = [len(words) for words in by_row.values()]
        codes = np.array([code_of[word] for words in by_row.values() for word in words], np.int32)
        return WordColumn(vocabulary, np.concatenate([[0], np.cumsum(lengths)]), codes)


def fields_of(item: Item) -> dict[str, Value]:
    """The fields of an item that can be filtered by, given or inferred, by name; empty ones are left out."""
    known = {"title": item.title, "category": item.category, "price": item.price, "currency": item.currency}
    return {k: v for k, v in {**item.known_attributes, **known}.items() if v is not None and v != "" and v != []}
