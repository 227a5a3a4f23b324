"""Counts facet values and number ranges of the matching items, for each field without the filter on it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from magpie.indexer.indexes.attribute_columns import FACET_VALUES, MAX_FACET_VALUES
from magpie.indexer.indexes.column_types import NumberColumn, WordColumn
from magpie.indexer.indexes.field_filter import FilterValue, read_filter
from magpie.search.histogram import date_histogram, histogram
from magpie.search.live_index.segment import Segment
from magpie.search.request import FacetValue, Range

# Fields that a search filters by and whose other values are counted as well. Each takes another look at all columns;
# people choose among a handful.
MOST_RECOUNTED = 4
# for each segment the (m,) rows that match
Matching = Sequence[np.ndarray]


def count_facets(
    segments: Sequence[Segment],
    names: frozenset[str],
    matching: Matching,
    unfiltered: Mapping[str, Matching],
    filters: Mapping[str, FilterValue],
) -> dict[str, list[FacetValue]]:
    """How often each value of the columns `names` occurs among the matching items, the most frequent first.

    `unfiltered` holds for each filtered field the rows that match without the filter on it: values of one field are
    alternatives, so the others stay on offer. Chosen values keep their count with all filters.
    """
    own = _count(segments, matching, names)
    facets = {name: counts for name, counts in own.items() if name not in unfiltered}
    for name, rows in unfiltered.items():
        counts = dict(_count(segments, rows, names).get(name, []))
        chosen = {value.casefold() for value in read_filter(name, filters[name]).values}
        counts |= {value: n for value, n in own.get(name, []) if value.casefold() in chosen}
        if counts:
            facets[name] = _most_frequent(counts)
    return {name: [FacetValue(value, n) for value, n in counts] for name, counts in sorted(facets.items())}


def find_ranges(
    segments: Sequence[Segment], matching: Matching, unfiltered: Mapping[str, Matching]
) -> dict[str, Range]:
    """Smallest and largest value and histogram of each column of numbers or dates among the matching items.

    `unfiltered` as in `count_facets`.
    """
    found = _numbers(segments, matching)
    for name, rows in unfiltered.items():
        if numbers := _numbers(segments, rows).get(name):
            found[name] = numbers
    dates = {name for segment in segments for name in segment.columns.dates}
    return {name: _range(np.concatenate(numbers), name in dates) for name, numbers in sorted(found.items())}


def find_without_each_filter(
    segments: Sequence[Segment], matches: Sequence[np.ndarray], filters: Mapping[str, FilterValue]
) -> dict[str, list[np.ndarray]]:
    """For each of the first fields of which values or a range are asked, by segment, the rows that match without the
    filter on it. `matches` are (n,) bool by segment: those that match whatever the filters. Raises BadFilter."""
    found = {}
    for name in fields_to_recount(filters)[:MOST_RECOUNTED]:
        others = {other: value for other, value in filters.items() if other != name}
        allowed = [segment.columns.allowed(others) for segment in segments]
        found[name] = [np.flatnonzero(m if a is None else m & a) for m, a in zip(matches, allowed, strict=True)]
    return found


def fields_to_recount(filters: Mapping[str, FilterValue]) -> list[str]:
    """The fields of which values or a range are asked, so that others might be chosen."""
    return [name for name, given in filters.items() if read_filter(name, given).wants_values]


def _range(numbers: np.ndarray, is_dates: bool) -> Range:
    spread = date_histogram(numbers) if is_dates else histogram(numbers)
    return Range(float(numbers.min()), float(numbers.max()), spread, is_dates)


def facet_names(segments: Sequence[Segment]) -> frozenset[str]:
    """The columns that are facets: those of not too many distinct values, titles excepted, as if the living items of
    all segments were in one."""
    most = {WordColumn: MAX_FACET_VALUES, NumberColumn: FACET_VALUES}
    columns: dict[str, list[tuple[Segment, WordColumn | NumberColumn]]] = {}
    for segment in segments:
        for name in segment.columns.names:
            columns.setdefault(name, []).append((segment, segment.columns[name]))
    return frozenset(
        name for name, parts in columns.items() if name != "title" and _num_distinct(parts, most) is not None
    )


def _num_distinct(parts: Sequence[tuple[Segment, WordColumn | NumberColumn]], most: Mapping[type, int]) -> int | None:
    """How many distinct values the living items have in one column over all segments, None where too many."""
    limit = min(most[type(column)] for _, column in parts)
    # a dead row takes few values with it: a column of far too many need not be looked at
    if any(column.num_distinct > limit and not segment.dead.any() for segment, column in parts):
        return None
    values: set[str] = set()
    for segment, column in parts:
        values.update(_living_values(segment, column))
        if len(values) > limit:
            return None
    return len(values)


def _living_values(segment: Segment, column: WordColumn | NumberColumn) -> list[str]:
    words = column.values_as_words
    if not segment.dead.any():
        return words
    codes = column.pairs(np.flatnonzero(~segment.dead))[1]
    return [words[code] for code in np.unique(codes).tolist()]


def _count(segments: Sequence[Segment], matching: Matching, names: frozenset[str]) -> dict[str, list[tuple[str, int]]]:
    """By column the most frequent values of the matching rows, cut once all segments are counted together."""
    chosen = [(segment, rows) for segment, rows in zip(segments, matching, strict=True) if len(rows)]
    if len(chosen) == 1:
        return chosen[0][0].columns.facets(chosen[0][1], names, FACET_VALUES)
    counts: dict[str, Counter[str]] = {}
    for segment, rows in chosen:
        for name, pairs in segment.columns.facets(rows, names, None).items():
            counts.setdefault(name, Counter()).update(dict(pairs))
    return {name: _most_frequent(of_name) for name, of_name in counts.items()}


def _most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:FACET_VALUES]


def _numbers(segments: Sequence[Segment], matching: Matching) -> dict[str, list[np.ndarray]]:
    numbers: dict[str, list[np.ndarray]] = {}
    for segment, rows in zip(segments, matching, strict=True):
        for name, values in segment.columns.numbers(rows).items():
            numbers.setdefault(name, []).append(values)
    return numbers
