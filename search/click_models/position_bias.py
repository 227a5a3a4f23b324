"""Position bias: how likely people look at each position, estimated from items shown at several positions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates

POSITIONS = 20  # measured one by one; below them the fall goes on as it is
_WEEK = 7
_PRIOR_DEVIATION = 1.0  # of the logarithm of a propensity around 1 / position
_SMOOTHNESSES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)  # of the fall, from any curve to a power law
_FEWEST_CLICKS = 3
_MOST_STEPS = 50
_LEAST = 0.01


@dataclass(frozen=True)
class Propensities:
    """The probability `theta` that a position is examined, with standard errors `se`, both (POSITIONS,).

    `theta` is relative to the first position, which is 1, and never rises. `num_pairs` pairs of positions were
    compared; without any, theta is the assumption 1 / position.
    """

    theta: np.ndarray
    se: np.ndarray
    num_pairs: int

    @property
    def is_measured(self) -> bool:
        return self.num_pairs > 0

    def at(self, positions: np.ndarray) -> np.ndarray:
        """(n,) examination at 1-based positions, beyond the measured ones by the power law through the last."""
        last = len(self.theta)
        steepness = -np.log(self.theta[-1]) / np.log(last)
        beyond = self.theta[-1] * (last / np.maximum(positions, last)) ** steepness
        return np.where(positions <= last, self.theta[np.minimum(positions, last) - 1], beyond)

    def as_dict(self) -> dict[str, Any]:
        return {
            "theta": [round(float(value), 4) for value in self.theta],
            "se": [round(float(value), 4) for value in self.se],
            "measured": self.is_measured,
            "pairs": self.num_pairs,
        }


def assumed_propensities() -> Propensities:
    """1 / position: what is assumed before anything is measured."""
    theta = 1 / np.arange(1, POSITIONS + 1)
    return Propensities(theta, theta * _PRIOR_DEVIATION, 0)


def measure_propensities(cells: ClickAggregates) -> Propensities:
    """Intervention harvesting (Agarwal et al. 2019, arXiv:1812.05161) by a conditional likelihood.

    Given how often an item was clicked for a query under one ranker, its clicks fall on the positions at which it was
    shown, be it by a random swap or by itself, in proportion to impressions times examination; how much it is liked
    cancels out (Poisson regression with fixed effects: Hausman, Hall and Griliches 1984). The logarithms are drawn to a
    power law, as strongly as the clicks make likely, weakly towards 1 / position, and made monotone.
    """
    from scipy.optimize import isotonic_regression  # here: a server that has no ranker does without it

    strata = strata_of(cells)
    if not strata.num_pairs:
        return assumed_propensities()
    log_theta, errors = _averaged(strata)
    falling = isotonic_regression(np.append(0.0, log_theta), increasing=False).x
    theta = np.clip(np.exp(falling - falling[0]), _LEAST, 1.0)
    return Propensities(theta, theta * np.append(0.0, errors), strata.num_pairs)


@dataclass(frozen=True)
class Strata:
    """Impressions and clicks, (strata, POSITIONS) each, of the items that one ranker showed at several positions and
    that were clicked; and the query of each."""

    shown: np.ndarray
    clicked: np.ndarray
    query: np.ndarray

    @cached_property
    def num_pairs(self) -> int:
        """Pairs of positions at which the same items were shown, with enough clicks to compare."""
        seen, clicked = self.shown > 0, self.clicked
        at_first = clicked.T @ seen
        return int(np.triu(np.minimum(at_first, at_first.T) >= _FEWEST_CLICKS, 1).sum())

    def shares(self, log_theta: np.ndarray) -> np.ndarray:
        """(strata, POSITIONS) how the clicks of each should fall on its positions."""
        looked_at = self.shown * np.append(1.0, np.exp(log_theta))
        return np.asarray(looked_at / looked_at.sum(axis=1, keepdims=True))


def strata_of(cells: ClickAggregates) -> Strata:
    """Impressions and clicks by ranker, query and item, for items shown at several positions and clicked at least once.

    Where the log does not name the ranker, each week counts as one ranker: an item that rises while it is popular, and
    falls later, would otherwise look like position bias.
    """
    near = cells.where(cells.position <= POSITIONS)
    unnamed = np.array([name == "" for name in near.rankers], bool)
    week = np.where(unnamed[near.ranker], near.day // _WEEK, 0) if len(near) else near.day
    keys = np.stack([near.ranker, week, near.query, near.item])
    _, stratum = np.unique(keys, axis=1, return_inverse=True)
    size = (int(stratum.max()) + 1 if len(near) else 0) * POSITIONS
    flat = stratum * POSITIONS + near.position - 1
    shown, clicked = (np.bincount(flat, x, size).reshape(-1, POSITIONS) for x in (near.impressions, near.clicks))
    query = np.zeros(len(shown), np.int64)
    query[stratum] = near.query
    kept = ((shown > 0).sum(axis=1) > 1) & (clicked.sum(axis=1) > 0)
    return Strata(shown[kept], clicked[kept], query[kept])


@dataclass(frozen=True)
class _Fit:
    """The likeliest (POSITIONS - 1,) logarithms of the propensities after the first, how certain they are, and how well
    their prior explains the clicks."""

    log_theta: np.ndarray
    precision: np.ndarray
    of_prior: np.ndarray
    evidence: float

    def errors(self, strata: Strata) -> np.ndarray:
        """(POSITIONS - 1,) standard errors; the larger of those robust to what the clicks for one query have in common
        (White 1982), of which few queries make too little, and those of independent clicks."""
        apart = strata.clicked - strata.clicked.sum(axis=1, keepdims=True) * strata.shares(self.log_theta)
        of_query = np.zeros((int(strata.query.max()) + 1, POSITIONS - 1))
        np.add.at(of_query, strata.query, apart[:, 1:])
        covariance = np.linalg.inv(self.precision)
        robust = covariance @ (of_query.T @ of_query + self.of_prior) @ covariance
        return np.sqrt(np.maximum(np.diag(robust), np.diag(covariance)))


def _averaged(strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """The fits under all smoothnesses, each by how likely it makes the clicks, and their standard errors."""
    found, start = [], np.zeros(POSITIONS - 1)
    for smoothness in _SMOOTHNESSES:
        found.append(_fit(strata, smoothness, start))
        start = found[-1].log_theta
    evidence = np.array([fit.evidence for fit in found])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    curves = np.array([fit.log_theta for fit in found])
    mean = weights @ curves
    variances = np.array([fit.errors(strata) ** 2 for fit in found])
    return mean, np.sqrt(weights @ (variances + (curves - mean) ** 2))


def _fit(strata: Strata, smoothness: float, start: np.ndarray) -> _Fit:
    """Newton's method; the evidence is Laplace's approximation."""
    assumed, bends = -np.log(np.arange(2, POSITIONS + 1)), _bends()[:, 1:]
    of_prior = smoothness * bends.T @ bends + np.eye(POSITIONS - 1) / _PRIOR_DEVIATION**2
    totals, clicked = strata.clicked.sum(axis=1, keepdims=True), strata.clicked[:, 1:].sum(axis=0)
    log_theta = start
    for _ in range(_MOST_STEPS):
        shares = strata.shares(log_theta)[:, 1:]
        expected = totals * shares
        slope = clicked - expected.sum(axis=0) - of_prior @ (log_theta - assumed)
        precision = np.diag(expected.sum(axis=0)) - expected.T @ shares + of_prior
        step = np.linalg.solve(precision, slope)
        log_theta = log_theta + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    likelihood = float((strata.clicked * np.log(np.maximum(strata.shares(log_theta), 1e-300))).sum())
    penalty = float((log_theta - assumed) @ of_prior @ (log_theta - assumed))
    volume = np.linalg.slogdet(of_prior)[1] - np.linalg.slogdet(precision)[1]
    return _Fit(log_theta, precision, of_prior, likelihood + 0.5 * (float(volume) - penalty))


def _bends() -> np.ndarray:
    """(POSITIONS - 2, POSITIONS) second differences in the logarithm of the position; zero for any power law."""
    steps = np.diff(np.log(np.arange(1, POSITIONS + 1)))
    rows = np.zeros((POSITIONS - 2, POSITIONS))
    for k in range(POSITIONS - 2):
        rows[k, k : k + 3] = 1 / steps[k], -(1 / steps[k] + 1 / steps[k + 1]), 1 / steps[k + 1]
    return rows
