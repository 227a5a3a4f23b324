"""The items that match → facets and ranges, where choosing one value of a field does not hide its others."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from indexer.columns import FilterValue, words_of
from search.request import FacetValue, Range
from search.segment import Segment

_MAX_VALUES = 30

# Per segment the (m,) rows that match.
Matching = Sequence[np.ndarray]


def count_facets(
    segments: Sequence[Segment],
    matching: Matching,
    unfiltered: Mapping[str, Matching],
    filters: Mapping[str, FilterValue],
) -> dict[str, list[FacetValue]]:
    """How often each value occurs among the matching items, the most frequent first.

    `unfiltered` holds for each filtered field what matches without the filter on it: values of one field are or-ed,
    so the others are still to be chosen from. The chosen values keep the count that the answer has.
    """
    own = _count(segments, matching)
    facets = {name: counts for name, counts in own.items() if name not in unfiltered}
    for name, rows in unfiltered.items():
        counts = _count(segments, rows).get(name, Counter())
        wanted = filters[name]
        if not isinstance(wanted, Mapping):
            chosen = {word.casefold() for value in wanted for word in words_of(value)}
            kept = {value: n for value, n in own.get(name, Counter()).items() if value.casefold() in chosen}
            counts = Counter({**counts, **kept})
        if counts:
            facets[name] = counts
    return {
        name: [FacetValue(value, n) for value, n in sorted(counts.items(), key=lambda p: (-p[1], p[0]))[:_MAX_VALUES]]
        for name, counts in sorted(facets.items())
    }


def find_ranges(
    segments: Sequence[Segment], matching: Matching, unfiltered: Mapping[str, Matching]
) -> dict[str, Range]:
    """The smallest and largest number of each column of numbers among the matching items; filters as above."""
    found = _bounds(segments, matching)
    for name, rows in unfiltered.items():
        if bounds := _bounds(segments, rows).get(name):
            found[name] = bounds
    return {name: Range(min(values), max(values)) for name, values in sorted(found.items())}


def _count(segments: Sequence[Segment], matching: Matching) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for segment, rows in zip(segments, matching, strict=True):
        for name, pairs in segment.columns.facets(rows, _MAX_VALUES).items():
            counts.setdefault(name, Counter()).update(dict(pairs))
    return counts


def _bounds(segments: Sequence[Segment], matching: Matching) -> dict[str, list[float]]:
    bounds: dict[str, list[float]] = {}
    for segment, rows in zip(segments, matching, strict=True):
        for name, pair in segment.columns.ranges(rows).items():
            bounds.setdefault(name, []).extend(pair)
    return bounds
