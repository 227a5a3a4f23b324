"""Counts how many numbers lie between round edges, which grow by a factor where the numbers are skewed, and how many
dates between beginnings of years, months, days or hours."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_BINS = 24
_SKEW = 4.0  # times the median that the largest number lies at, from which on the edges grow by a factor
_REMEMBERED = 1_000  # edges: many answers have years between the same two
_LEAST, _GREATEST = 1e-300, 1e300  # between these, steps and their multiples are finite and have all their digits
_LEAST_SHARE = 5e-13  # of the largest number: with less between the ends, multiples of a step would fall together
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_CALENDAR_STEPS = (
    *(("s", step) for step in (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200)),
    *(("D", step) for step in (1, 2, 7, 14)),
    *(("M", step) for step in (1, 3, 6)),
    *(("Y", step) for step in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
)  # units of numpy's datetime64, and how many of them
_ORIGINS = {"D": 3, "Y": 1970}  # weeks begin on Mondays, and decades with round years; numpy counts from 1970-01-01
_LEAST_STEP_S = 1.0  # dates closer than this are counted in one bin


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` numbers lie from `edges[i]` to `edges[i + 1]`; all lie between the first edge and the last."""

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


def histogram(numbers: np.ndarray) -> Histogram:
    """At most about 24 bins over (n,) finite numbers; empty where all are the same."""
    ascending = np.sort(numbers)
    if not len(ascending) or ascending[0] == ascending[-1]:
        return Histogram()
    low, high = float(ascending[0]), float(ascending[-1])
    is_skewed = low > 0 and high > _SKEW * float(ascending[len(ascending) // 2])
    return _counted(ascending, _edges(low, high, is_skewed))


def date_histogram(instants: np.ndarray) -> Histogram:
    """At most about 24 bins over (n,) instants in seconds since 1970, between days or other steps of the calendar in
    UTC; empty where all are the same."""
    ascending = np.sort(instants)
    if not len(ascending) or ascending[0] == ascending[-1]:
        return Histogram()
    return _counted(ascending, _calendar_edges(float(ascending[0]), float(ascending[-1])))


def _counted(ascending: np.ndarray, edges: np.ndarray) -> Histogram:
    below = np.searchsorted(ascending, edges)
    below[0], below[-1] = 0, len(ascending)
    return Histogram(tuple(edges.tolist()), tuple((below[1:] - below[:-1]).tolist()))


@lru_cache(_REMEMBERED)
def _calendar_edges(low: float, high: float) -> np.ndarray:
    """Rising instants around [low, high] at the beginnings of equal steps, the smallest that make at most 24 bins."""
    if high - low < _LEAST_STEP_S:
        return np.array([low, high])
    for unit, step in _CALENDAR_STEPS:
        ends = np.array([math.floor(low), math.floor(high)], "M8[s]").astype(f"M8[{unit}]").astype(np.int64)
        first, last = ((ends + _ORIGINS.get(unit, 0)) // step).tolist()
        if last - first < _BINS:
            break
    starts = np.arange(first, last + 2) * step - _ORIGINS.get(unit, 0)
    edges = starts.astype(f"M8[{unit}]").astype("M8[s]").astype(np.float64)
    if edges[-2] == high:
        edges = edges[:-1]
    edges.flags.writeable = False
    return edges


@lru_cache(_REMEMBERED)
def _edges(low: float, high: float, is_skewed: bool) -> np.ndarray:
    """Rising edges around [low, high]: round ones, or where floats are too coarse or too few for them even ones."""
    largest = max(abs(low), abs(high))
    if is_skewed and low >= _LEAST and high <= _GREATEST:
        edges = _growing_edges(low, high)
    elif largest <= _GREATEST and high - low >= max(_LEAST, _LEAST_SHARE * largest):
        edges = _even_edges(low, high)
    else:
        shares = np.linspace(0.0, 1.0, _BINS + 1)
        edges = np.unique(np.concatenate([[low], low * (1 - shares[1:-1]) + high * shares[1:-1], [high]]))
        edges = edges[(edges >= low) & (edges <= high)]
    edges.flags.writeable = False
    return edges


def _even_edges(low: float, high: float) -> np.ndarray:
    """Multiples of a round step around [low, high]."""
    rough = high / _BINS - low / _BINS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(step * magnitude for step in _STEPS if step * magnitude >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    edges = np.array([float(f"{place * step:.15g}") for place in range(first, last + 1)])
    return _around(edges, low, high)


def _growing_edges(low: float, high: float) -> np.ndarray:
    """Numbers of two digits, each about the same factor above the one before, around [low, high]."""
    inner = [float(f"{edge:.2g}") for edge in np.geomspace(low, high, _BINS + 1)[1:-1]]
    return _around(np.unique([_two_digits(low, math.floor), *inner, _two_digits(high, math.ceil)]), low, high)


def _two_digits(number: float, rounded: Callable[[float], int]) -> float:
    unit = 10.0 ** (math.floor(math.log10(number)) - 1)
    return float(f"{rounded(number / unit) * unit:.12g}")


def _around(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """The edges, the outer ones moved out where rounding left a number outside."""
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges
