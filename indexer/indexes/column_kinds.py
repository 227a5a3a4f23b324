"""Turns a column into one of another kind, where the kind of an attribute has changed since its segment was indexed."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from magpie.data.catalogue.attribute_types import Kind, kind_of, typed
from magpie.indexer.indexes.column_types import Column, NumberColumn, WordColumn, to_instant, to_number, words_of


def as_kind(column: Column, kind: Kind) -> Column:
    """The column as it would be had it been built by this kind."""
    if isinstance(column, NumberColumn) and kind == ("date" if column.is_dates else "number"):
        return column
    words = column if isinstance(column, WordColumn) else _as_words(column)
    if kind == "number":
        return _as_numbers(words, _number)
    if kind == "date":
        return date_column(_respelt(words, kind))
    return _respelt(words, kind) if kind == "boolean" else words


def date_column(words: WordColumn) -> NumberColumn:
    """The column of these dates, spelt in ISO 8601; what is no date is odd."""
    return replace(_as_numbers(words, to_instant), spelt=words)


def word_column(vocabulary: Sequence[str], owners: np.ndarray, codes: np.ndarray, num_rows: int) -> WordColumn:
    """The column in which row `owners[k]` has the word `codes[k]` of the vocabulary, for all (m,) k; words may be
    there twice or without a row, and rows are in any order."""
    place = {word: at for at, word in enumerate(dict.fromkeys(vocabulary))}
    merged = np.array([place[word] for word in vocabulary], np.int64)[codes]
    counts, words = np.bincount(merged, minlength=len(place)), list(place)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda at: (-counts[at], words[at]))
    new_code = np.zeros(len(place) + 1, np.int32)
    new_code[order] = np.arange(len(order))
    by_row = np.argsort(owners, kind="stable")
    lengths = np.bincount(owners, minlength=num_rows)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return WordColumn([words[at] for at in order], starts, new_code[merged[by_row]])


def _as_numbers(column: WordColumn, read: Callable[[str], float]) -> NumberColumn:
    """The numbers that `read` finds in rows of one word; NaN, and an odd word, where it finds none."""
    lengths = np.diff(column.starts)
    by_code = np.array([*(read(word) for word in column.vocabulary), np.nan])
    values = np.full(len(lengths), np.nan)
    single = lengths == 1
    values[single] = by_code[column.codes[column.starts[:-1][single]]]
    owners = np.repeat(np.arange(len(lengths)), lengths)
    is_odd = np.isnan(values[owners])
    if not is_odd.any():
        return NumberColumn(values)
    return NumberColumn(values, word_column(column.vocabulary, owners[is_odd], column.codes[is_odd], len(lengths)))


def _number(word: str) -> float:
    """The number that the catalogue would read in this word, or that was written as this word; NaN for any other."""
    number = to_number(word)
    is_number = kind_of(word) == "number" or (np.isfinite(number) and repr(number) == word)
    return number if is_number else float("nan")


def _as_words(column: NumberColumn) -> WordColumn:
    if column.spelt is not None:
        return column.spelt
    owners, codes = column.pairs(np.arange(len(column.values)))
    words = column.values_as_words
    if column.odd is not None:
        odd_owners, odd_codes = column.odd.pairs(np.arange(len(column.values)))
        owners, codes = np.concatenate([owners, odd_owners]), np.concatenate([codes, odd_codes + len(words)])
        words = [*words, *column.odd.vocabulary]
    return word_column(words, owners, codes, len(column.values))


def _respelt(column: WordColumn, kind: Kind) -> WordColumn:
    """The same with every word spelt as this kind shows it: "yes" as "true", times in ISO 8601."""
    words = [words_of(typed(word, kind))[0] for word in column.vocabulary]
    if words == column.vocabulary:
        return column
    return word_column(words, *column.pairs(np.arange(len(column.starts) - 1)), len(column.starts) - 1)
