"""Counts how many numbers lie between round edges, which grow by a factor where the numbers are skewed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_BINS = 24
_SKEW = 4.0  # times the median that the largest number lies at, from which on the edges grow by a factor
_REMEMBERED = 1_000  # edges: many answers have years between the same two
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


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
    edges = _growing_edges(low, high) if is_skewed else _even_edges(low, high)
    below = np.searchsorted(ascending, edges)
    below[0], below[-1] = 0, len(ascending)
    return Histogram(tuple(edges.tolist()), tuple((below[1:] - below[:-1]).tolist()))


@lru_cache(_REMEMBERED)
def _even_edges(low: float, high: float) -> np.ndarray:
    """Multiples of a round step around [low, high]."""
    rough = (high - low) / _BINS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(step * magnitude for step in _STEPS if step * magnitude >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    edges = np.array([float(f"{place * step:.12g}") for place in range(first, last + 1)])
    return _around(edges, low, high)


@lru_cache(_REMEMBERED)
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
    edges.flags.writeable = False
    return edges
