"""Counts facet values and number ranges of the matching items, for each field without the filter on it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from magpie.indexer.indexes.attribute_columns import FACET_VALUES, FilterValue
from magpie.indexer.indexes.column_types import words_of
from magpie.search.histogram import histogram
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import FacetValue, Range
from magpie.search.retrieval.candidates import retrieve
from magpie.search.retrieval.ranked_list import matching_rows
from magpie.search.retrieval.scoring import score

# for each segment the (m,) rows that match
Matching = Sequence[np.ndarray]


def count_facets(
    segments: Sequence[Segment],
    matching: Matching,
    unfiltered: Mapping[str, Matching],
    filters: Mapping[str, FilterValue],
) -> dict[str, list[FacetValue]]:
    """The values of each field with their counts among the matching items, the most frequent first.

    `unfiltered` holds for each filtered field the rows that match without the filter on it: values of one field are
    alternatives, so the others stay on offer. Chosen values keep their count with all filters.
    """
    own = _count(segments, matching)
    facets = {name: counts for name, counts in own.items() if name not in unfiltered}
    for name, rows in unfiltered.items():
        counts = dict(_count(segments, rows).get(name, []))
        filtered = filters[name]
        if not isinstance(filtered, Mapping):
            chosen = {word.casefold() for value in filtered for word in words_of(value)}
            counts |= {value: n for value, n in own.get(name, []) if value.casefold() in chosen}
        if counts:
            facets[name] = _most_frequent(counts)
    return {name: [FacetValue(value, n) for value, n in counts] for name, counts in sorted(facets.items())}


def find_ranges(
    segments: Sequence[Segment], matching: Matching, unfiltered: Mapping[str, Matching]
) -> dict[str, Range]:
    """Smallest and largest value and histogram of each number column among the matching items.

    `unfiltered` as in `count_facets`.
    """
    found = _numbers(segments, matching)
    for name, rows in unfiltered.items():
        if numbers := _numbers(segments, rows).get(name):
            found[name] = numbers
    return {name: _range(np.concatenate(numbers)) for name, numbers in sorted(found.items())}


def find_without_each_filter(
    segments: Sequence[Segment], parsed: ParsedQuery, filters: Mapping[str, FilterValue], depth: int, best: float
) -> dict[str, list[np.ndarray]]:
    """For each filtered field, by segment, the rows that match without the filter on it.

    `best` is the best score with all filters, from which matching is decided. Raises BadFilter.
    """
    found = {}
    for name in filters:
        others = {other: value for other, value in filters.items() if other != name}
        candidates = score(parsed, retrieve(segments, parsed, others, depth))
        found[name] = matching_rows(candidates, parsed.is_browsing, best)
    return found


def _range(numbers: np.ndarray) -> Range:
    return Range(float(numbers.min()), float(numbers.max()), histogram(numbers))


def _count(segments: Sequence[Segment], matching: Matching) -> dict[str, list[tuple[str, int]]]:
    counted = [s.columns.facets(rows) for s, rows in zip(segments, matching, strict=True) if len(rows)]
    if len(counted) == 1:
        return counted[0]
    counts: dict[str, Counter[str]] = {}
    for of_segment in counted:
        for name, pairs in of_segment.items():
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
