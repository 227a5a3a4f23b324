"""Counted cells → how likely each position is looked at, from the items that were shown at more than one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.click_cells import Cells

POSITIONS = 20  # measured one by one; below them the fall goes on as it is
_WEEK = 7
_PRIOR_DEVIATION = 1.0  # of the logarithm of a propensity around 1 / position
_SMOOTHNESS = 100.0  # how people look falls evenly; with less of it a few lucky swaps bend the whole curve
_GROUPS = 20
_FEWEST_CLICKS = 3
_LEAST = 0.01


@dataclass(frozen=True)
class Propensities:
    """Examination by position: `theta` and its standard errors `se`, (POSITIONS,), the first 1, never rising.

    `num_pairs` pairs of positions were compared; without any, theta is the assumption 1 / position.
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
    """What is taken for granted before anything is measured: 1 / position."""
    theta = 1 / np.arange(1, POSITIONS + 1)
    return Propensities(theta, theta * _PRIOR_DEVIATION, 0)


def measure_propensities(cells: Cells) -> Propensities:
    """Intervention harvesting (Agarwal et al. 2019, arXiv:1812.05161) in closed form.

    For every pair of positions the Mantel-Haenszel ratio of the click rates of the same item for the same query under
    the same ranker is taken over all items shown at both, be it by a random swap or by itself; the logarithms are
    reconciled by weighted least squares, smooth in the logarithm of the position and drawn weakly towards 1 / position,
    and made monotone. Standard errors are a jackknife over groups of queries.
    """
    sums = _pair_sums(cells)
    total = sums.sum(axis=0)
    theta, num_pairs = _solve(total)
    if not num_pairs:
        return assumed_propensities()
    left_out = np.log([_solve(total - group)[0] for group in sums])
    spread = (_GROUPS - 1) / _GROUPS * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return Propensities(theta, theta * np.sqrt(spread), num_pairs)


def _pair_sums(cells: Cells) -> np.ndarray:
    """(groups, 5, POSITIONS, POSITIONS): P, Q, the variance's numerator, and the clicks at either position."""
    shown, clicked, group = _strata(cells)
    sums = np.zeros((_GROUPS, 5, POSITIONS, POSITIONS))
    for a in range(POSITIONS):
        for b in range(a + 1, POSITIONS):
            both = np.flatnonzero((shown[:, a] > 0) & (shown[:, b] > 0))
            if not len(both):
                continue
            n_a, n_b, c_a, c_b = shown[both, a], shown[both, b], clicked[both, a], clicked[both, b]
            n = n_a + n_b
            parts = (c_a * n_b / n, c_b * n_a / n, (c_a + c_b) * n_a * n_b / n**2, c_a, c_b)
            for place, values in enumerate(parts):
                sums[:, place, a, b] = np.bincount(group[both], values, _GROUPS)
    return sums


def _strata(cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Impressions and clicks, (strata, POSITIONS) each, of the items that one ranker showed at several positions.

    Where the log does not name the ranker, each week counts as one: a popular item rises, and later falls back to its
    usual rate, which pooled would look like a fall by position.
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
    kept = (shown > 0).sum(axis=1) > 1
    return shown[kept], clicked[kept], query[kept] % _GROUPS


def _solve(sums: np.ndarray) -> tuple[np.ndarray, int]:
    """theta (POSITIONS,) from the sums over groups, and how many pairs of positions had enough clicks."""
    from scipy.optimize import isotonic_regression  # here: a server that has no ranker does without it

    forward, backward, spread, clicks_a, clicks_b = sums
    used = (np.minimum(clicks_a, clicks_b) >= _FEWEST_CLICKS) & (forward > 0) & (backward > 0)
    first, second = np.nonzero(used)
    ratios = np.log(forward[used] / backward[used])
    # variance of a log Mantel-Haenszel rate ratio: Greenland and Robins 1985
    weights = np.sqrt(forward[used] * backward[used] / spread[used])
    rows = np.zeros((len(first), POSITIONS))
    rows[np.arange(len(first)), first], rows[np.arange(len(first)), second] = weights, -weights
    assumed = -np.log(np.arange(1, POSITIONS + 1))
    prior = np.eye(POSITIONS) / _PRIOR_DEVIATION
    prior[0] *= 1e3  # the first position is the measure of the others
    bends = np.sqrt(_SMOOTHNESS) * _bends()
    system = np.concatenate([rows, prior, bends])
    wanted = np.concatenate([weights * ratios, assumed / _PRIOR_DEVIATION, np.zeros(len(bends))])
    log_theta = np.linalg.lstsq(system, wanted, rcond=None)[0]
    falling = isotonic_regression(log_theta - log_theta[0], increasing=False).x
    return np.clip(np.exp(falling - falling[0]), _LEAST, 1.0), len(first)


def _bends() -> np.ndarray:
    """(POSITIONS - 2, POSITIONS) second differences in the logarithm of the position; zero for any power law."""
    steps = np.diff(np.log(np.arange(1, POSITIONS + 1)))
    rows = np.zeros((POSITIONS - 2, POSITIONS))
    for k in range(POSITIONS - 2):
        rows[k, k : k + 3] = 1 / steps[k], -(1 / steps[k] + 1 / steps[k + 1]), 1 / steps[k + 1]
    return rows
