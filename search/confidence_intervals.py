"""95 % confidence intervals of shares and estimates, for the figures of reports."""

import math
from dataclasses import dataclass

Z = 1.96  # standard normal: 95 % intervals


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def share_of(part: int, whole: int) -> Interval | None:
    """The share with Wilson's score interval (Wilson 1927), None without observations."""
    if whole <= 0:
        return None
    p, z2 = part / whole, Z * Z / whole
    centre = (p + z2 / 2) / (1 + z2)
    half = Z * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole)) / (1 + z2)
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def around(value: float, standard_error: float) -> Interval:
    """The estimate with its normal interval."""
    return Interval(value, value - Z * standard_error, value + Z * standard_error)


def even_by_factor(value: float, relative_error: float, most: float = math.inf) -> Interval:
    """A positive estimate with an interval that is even on a logarithmic scale, and ends at `most`."""
    factor = math.exp(Z * relative_error)
    return Interval(value, value / factor, min(value * factor, most))
