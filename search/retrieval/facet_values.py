"""Lists the values of one field among the matching items: all of them, or those with a word that begins as asked."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from magpie.data.errors import UnknownField
from magpie.search.live_index.segment import Segment
from magpie.search.request import FacetValue


def count_values(segments: Sequence[Segment], matching: Sequence[np.ndarray], field: str) -> Counter[str]:
    """How many of the matching items have each value of the field; `matching` are the (m,) rows by segment."""
    counted: Counter[str] = Counter()
    for segment, rows in zip(segments, matching, strict=True):
        if field in segment.columns:
            column = segment.columns[field]
            counts = np.bincount(column.pairs(rows)[1], minlength=column.num_distinct)
            words, found = column.values_as_words, np.flatnonzero(counts)
            counted.update({words[code]: int(counts[code]) for code in found.tolist()})
    return counted


def most_frequent(counts: Counter[str], prefix: str = "") -> list[FacetValue]:
    """The values in which a word begins with `prefix`, whatever its case: the most frequent first, ties in alphabetical
    order. The prefix may go on over several words."""
    begins = re.compile(r"(?<![^\W_])" + re.escape(prefix.strip().casefold()))
    found = [(value, n) for value, n in counts.items() if not prefix or begins.search(value.casefold())]
    return [FacetValue(value, n) for value, n in sorted(found, key=lambda pair: (-pair[1], pair[0]))]


def check_has_values(segments: Sequence[Segment], field: str) -> None:
    """Raises UnknownField where no item has a value of the field."""
    having = [one for one in segments if field in one.columns]
    if not any((one.columns[field].is_filled & ~one.dead).any() for one in having):
        known = ", ".join(sorted({name for one in segments for name in one.columns.names}))
        raise UnknownField(f"No item has a field {field!r}; there are: {known}.")
