"""Builds the attribute columns of an index from items."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from magpie.data.catalogue.items import Item, Value
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.column_types import Column, NumberColumn, WordColumn, to_number, words_of


@dataclass
class ColumnsBuilder:
    """Gathers columns row by row: title, category, price, currency and every attribute."""

    kinds: Mapping[str, str]
    num_rows: int = 0
    _numbers: dict[str, dict[int, float]] = field(default_factory=dict)
    _words: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Appends one row."""
        row = self.num_rows
        self.num_rows += 1
        for name, value in fields_of(item).items():
            if self.kinds.get(name) == "number" or name == "price":
                self._numbers.setdefault(name, {})[row] = to_number(value)
            else:
                self._words.setdefault(name, {})[row] = words_of(value)

    def build(self) -> Columns:
        columns: dict[str, Column] = {}
        for name, numbers in self._numbers.items():
            values = np.full(self.num_rows, np.nan)
            values[list(numbers)] = list(numbers.values())
            columns[name] = NumberColumn(values)
        for name, by_row in self._words.items():
            columns[name] = self._word_column(by_row)
        return Columns(columns, self.num_rows)

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
