"""Histograms: every number is counted once, between round edges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magpie.search.histogram import Histogram, histogram

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: round(number, 2))


@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_every_number_lies_in_one_bin(numbers: list[float]) -> None:
    spread = histogram(np.array(numbers))
    if len(set(numbers)) == 1:
        assert spread == Histogram()
        return
    assert sum(spread.counts) == len(numbers) and len(spread.edges) == len(spread.counts) + 1 <= 30
    assert list(spread.edges) == sorted(set(spread.edges))
    assert spread.edges[0] <= min(numbers) and max(numbers) <= spread.edges[-1]


def test_even_numbers_get_round_steps() -> None:
    assert histogram(np.array([3.0, 7.0, 19.5, 12.0])).edges == tuple(range(3, 21))


def test_skewed_prices_get_growing_edges() -> None:
    edges = histogram(np.array([4.45, 12.0, 20.0, 30.0, 2329.0])).edges
    assert edges[:3] == (4.4, 5.8, 7.5) and edges[-1] == 2400
    assert all(float(f"{edge:.2g}") == edge for edge in edges)
