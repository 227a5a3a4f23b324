"""Poisson regression of clicks in which how much each item is liked cancels out."""

from dataclasses import dataclass

import numpy as np

_MOST_STEPS = 50


@dataclass(frozen=True)
class Strata:
    """What was shown of the same items in different circumstances, (n,) rows grouped by `stratum` (0 to S - 1).

    Given the clicks of a stratum, they fall on its rows in proportion to `shown` times exp(`design` @ coefficients):
    the stratum's own rate cancels out (Poisson regression with fixed effects: Hausman, Hall and Griliches 1984).
    `group` (S,) names what the strata have in common, by which robust errors are computed.
    """

    stratum: np.ndarray
    design: np.ndarray  # (n, p)
    shown: np.ndarray
    clicked: np.ndarray
    group: np.ndarray

    @classmethod
    def of(
        cls, stratum: np.ndarray, design: np.ndarray, shown: np.ndarray, clicked: np.ndarray, group: np.ndarray
    ) -> "Strata":
        """The rows of those strata that were clicked and have more than one row; `group` is by row."""
        size = int(stratum.max()) + 1 if len(stratum) else 0
        tells = (np.bincount(stratum, minlength=size) > 1) & (np.bincount(stratum, clicked, size) > 0)
        kept = np.flatnonzero(tells[stratum])
        kept = kept[np.argsort(stratum[kept], kind="stable")]
        _, first, number = np.unique(stratum[kept], return_index=True, return_inverse=True)
        return cls(number, design[kept], shown[kept], clicked[kept], group[kept][first])

    def __len__(self) -> int:
        return len(self.group)

    def shares(self, coefficients: np.ndarray) -> np.ndarray:
        """(n,) the share of its stratum's clicks that should fall on each row."""
        looked_at = self.shown * np.exp(self.design @ coefficients)
        return np.asarray(looked_at / np.bincount(self.stratum, looked_at, len(self))[self.stratum])

    def likelihood_by_group(self, coefficients: np.ndarray, groups: int) -> np.ndarray:
        """(groups,) the logarithm of the probability of where the clicks of each group fell."""
        logs = self.clicked * np.log(np.maximum(self.shares(coefficients), 1e-300))
        return np.bincount(self.group[self.stratum], logs, groups)


@dataclass(frozen=True)
class Fit:
    """The likeliest coefficients (p,) under a normal prior, their covariance, and the logarithm of the evidence."""

    coefficients: np.ndarray
    covariance: np.ndarray
    evidence: float


def fit(strata: Strata, mean: np.ndarray, precision: np.ndarray, start: np.ndarray) -> Fit:
    """Newton's method; the evidence is Laplace's approximation.

    The covariance has the larger variances of two: of independent clicks, and robust to what the clicks of a group have
    in common (White 1982), of which few groups make too little.
    """
    totals = np.bincount(strata.stratum, strata.clicked, len(strata))[strata.stratum]
    starts = np.flatnonzero(np.diff(strata.stratum, prepend=-1))
    found, curvature, left = start, precision, strata.clicked
    for _ in range(_MOST_STEPS if len(strata) else 0):
        shares = strata.shares(found)
        expected, left = totals * shares, strata.clicked - totals * shares
        slope = left @ strata.design - precision @ (found - mean)
        means = np.add.reduceat(shares[:, None] * strata.design, starts)
        spread = (expected[:, None] * strata.design).T @ strata.design
        curvature = spread - (totals[starts][:, None] * means).T @ means + precision
        step = np.linalg.solve(curvature, slope)
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    away = found - mean
    likelihood = float((strata.clicked * np.log(np.maximum(strata.shares(found), 1e-300))).sum()) if len(strata) else 0
    volume = float(np.linalg.slogdet(precision)[1] - np.linalg.slogdet(curvature)[1])
    plain = np.linalg.inv(curvature)
    of_group = np.zeros((int(strata.group.max(initial=0)) + 1, len(found)))
    np.add.at(of_group, strata.group[strata.stratum], left[:, None] * strata.design)
    robust = plain @ (of_group.T @ of_group + precision) @ plain
    wider = np.sqrt(np.maximum(np.diag(robust) / np.diag(plain), 1.0))
    return Fit(found, plain * np.outer(wider, wider), likelihood + 0.5 * (volume - float(away @ precision @ away)))
