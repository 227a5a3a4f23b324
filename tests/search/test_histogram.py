"""Histograms: every number is counted once, between round edges."""

import math
from datetime import datetime
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from magpie.data.catalogue.instants import format_instant, instant_of
from magpie.search.histogram import Histogram, date_histogram, histogram

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


EXTREMES = [1e308, -1e308, 1.7976931348623157e308, 5e-324, 0.0, -0.0, 4006381333931.0, 4006381333932.0, 1770000000000.0]
EXTREMES += [1770000086400.0, 1e-300, 1e300, 2.0**53, 2.0**53 + 2, 1.0, 1.0000000000000002, 1e15, -1e15, 12.0]
ANY_NUMBER = st.one_of(st.sampled_from(EXTREMES), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(ANY_NUMBER, min_size=1, max_size=30))
@settings(max_examples=1_000)
def test_whatever_floats_hold_is_counted_as_plain_python_counts_it(numbers: list[float]) -> None:
    spread = histogram(np.array(numbers))
    if min(numbers) == max(numbers):
        assert spread == Histogram()
        return
    assert all(math.isfinite(edge) for edge in spread.edges)
    assert all(low < high for low, high in pairwise(spread.edges)) and len(spread.edges) <= 60
    assert spread.edges[0] <= min(numbers) and max(numbers) <= spread.edges[-1]
    last = len(spread.counts) - 1
    expected = [
        sum(low <= number < high or (place == last and number == high) for number in numbers)
        for place, (low, high) in enumerate(pairwise(spread.edges))
    ]
    assert list(spread.counts) == expected


def test_close_codes_get_round_edges_that_rise() -> None:
    spread = histogram(np.array([4006381333931.0 + n for n in range(5)]))
    assert spread.edges == tuple(round(4006381333931 + n / 5, 1) for n in range(21))
    assert spread.counts == (1, 0, 0, 0, 0) * 3 + (1, 0, 0, 0, 1)


def test_even_numbers_get_round_steps() -> None:
    assert histogram(np.array([3.0, 7.0, 19.5, 12.0])).edges == tuple(range(3, 21))


def test_skewed_prices_get_growing_edges() -> None:
    edges = histogram(np.array([4.45, 12.0, 20.0, 30.0, 2329.0])).edges
    assert edges[:3] == (4.4, 5.8, 7.5) and edges[-1] == 2400
    assert all(float(f"{edge:.2g}") == edge for edge in edges)


SPANS_S = [1, 30, 3600, 86_400, 7 * 86_400, 90 * 86_400, 3 * 365 * 86_400, 300 * 365 * 86_400, 8000 * 365 * 86_400]
FIRST_S, LAST_S = (instant_of(text) for text in ("0001-01-01", "9999-12-31T23:59:59.999999"))


@given(st.sampled_from(SPANS_S), st.floats(FIRST_S, LAST_S), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_dates_are_counted_between_beginnings_of_the_calendar(span_s: int, start: float, shares: list[float]) -> None:
    instants = np.clip(np.round(start + span_s * np.array(shares), 6), FIRST_S, LAST_S)
    spread = date_histogram(instants)
    if instants.min() == instants.max():
        assert spread == Histogram()
        return
    assert sum(spread.counts) == len(instants) and len(spread.edges) == len(spread.counts) + 1 <= 26
    assert spread.edges[0] <= instants.min() and instants.max() <= spread.edges[-1]
    for low, high, count in zip(spread.edges, spread.edges[1:], spread.counts, strict=False):
        is_last = high == spread.edges[-1]
        assert count == sum(low <= one < high or (is_last and one == high) for one in instants.tolist())
    written = [format_instant(edge) for edge in spread.edges]
    assert len(set(written)) == len(written)


def test_edges_of_dates_are_round() -> None:
    def edges(*texts: str) -> list[str]:
        return [format_instant(edge) for edge in date_histogram(np.array([instant_of(text) for text in texts])).edges]

    assert edges("2026-01-07", "2026-01-09")[:3] == ["2026-01-07", "2026-01-07T03:00:00Z", "2026-01-07T06:00:00Z"]
    assert edges("2025-01-03", "2026-12-27")[:3] == ["2025-01-01", "2025-02-01", "2025-03-01"]
    assert edges("1903-05-05", "2026-12-27")[:2] == ["1900-01-01", "1910-01-01"]
    assert all(datetime.fromisoformat(edge).weekday() == 0 for edge in edges("2026-01-01", "2026-04-10"))
