"""Another estimate of how far people look, to compare with: Mantel-Haenszel ratios of all pairs of positions."""

from itertools import combinations

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.position_bias import POSITIONS, strata_of, tables_of

_FEWEST_CLICKS = 3
_SMOOTHNESS = 3.0
_FIRST_IS_ONE = 1e6
_LEAST = 0.01


def measure_by_pairs(cells: ClickAggregates) -> np.ndarray:
    """(POSITIONS,) propensities, the first 1, never rising; NaN where no positions can be compared.

    Each pair of positions gets the Mantel-Haenszel ratio of its click rates over the items shown at both by the same
    ranker, with its variance (Greenland and Robins, Biometrics 1985); the logarithms of the propensities are fitted to
    all ratios by weighted least squares, weakly smooth in the logarithm of the position.
    """
    seen, clicks = tables_of(strata_of(cells))
    normal, right = np.zeros((POSITIONS, POSITIONS)), np.zeros(POSITIONS)
    for a, b in combinations(range(POSITIONS), 2):
        both = (seen[:, a] > 0) & (seen[:, b] > 0)
        (n_a, n_b), (c_a, c_b) = seen[both][:, [a, b]].T, clicks[both][:, [a, b]].T
        if min(c_a.sum(), c_b.sum()) < _FEWEST_CLICKS:
            continue
        total = n_a + n_b
        p, q = (c_a * n_b / total).sum(), (c_b * n_a / total).sum()
        weight = p * q / ((c_a + c_b) * n_a * n_b / total**2).sum()
        normal[[a, b, a, b], [a, b, b, a]] += weight * np.array([1, 1, -1, -1])
        right[[a, b]] += weight * np.log(p / q) * np.array([1, -1])
    if not right.any():
        return np.full(POSITIONS, np.nan)
    steps = np.diff(np.log(np.arange(1, POSITIONS + 1)))
    for k in range(POSITIONS - 2):
        bend = np.zeros(POSITIONS)
        bend[k : k + 3] = 1 / steps[k], -(1 / steps[k] + 1 / steps[k + 1]), 1 / steps[k + 1]
        normal += _SMOOTHNESS * np.outer(bend, bend)
    normal[0, 0] += _FIRST_IS_ONE
    logs = np.minimum.accumulate(np.linalg.solve(normal, right))
    return np.clip(np.exp(logs - logs[0]), _LEAST, 1.0)
