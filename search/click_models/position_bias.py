"""Position bias: how likely people look at each position, estimated from items shown at several positions."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.conditional_poisson import Fit, Strata, fit

POSITIONS = 20  # measured one by one; below them the fall goes on as it is
SURELY = 1.28  # standard deviations: one-sided 90 %
_WEEK = 7
_STEEPNESS, _STEEPNESS_DEVIATION = 1.0, 1.0  # of the power law before anything is known: from flat to 1 / position²
_SMOOTHNESSES = (3.0, 30.0, 300.0, 3_000.0)  # precision of the bends, from any curve to a power law
_COLUMNS = (3, 4, 5, 6)  # of grids that are tried
_ROW, _COLUMN = 0.5, 0.3  # deviations of what a row and a column of a grid add to the logarithm
_FEWEST_CLICKS = 3
_LEAST = 0.01
_KNOWN_AT, _KNOWN_WITHIN = 10, 2.0  # a curve is measured when a standard error at this position is at most this factor


@dataclass(frozen=True)
class Propensities:
    """The probability `theta` (POSITIONS,) that a position is examined, relative to the first, whose theta is 1.

    `covariance` (POSITIONS, POSITIONS) is that of the logarithms. `num_pairs` pairs of positions were compared; without
    any, theta is the assumption 1 / position, as uncertain as the prior.
    """

    theta: np.ndarray
    covariance: np.ndarray
    num_pairs: int

    @property
    def is_measured(self) -> bool:
        """Whether the clicks say how far people look; else the curve is mostly what is assumed of people."""
        at = _KNOWN_AT - 1
        return bool(self.num_pairs and np.sqrt(self.covariance[at, at]) <= np.log(_KNOWN_WITHIN))

    @property
    def cautious(self) -> "Propensities":
        """The curve to learn under: the measured one, or the flattest where none is measured."""
        return self if self.is_measured else self.flattest

    @cached_property
    def se(self) -> np.ndarray:
        """(POSITIONS,) standard errors of `theta`."""
        return np.asarray(self.theta * np.sqrt(np.diag(self.covariance)))

    @cached_property
    def flattest(self) -> "Propensities":
        """The upper end of the band: what is learned under it promotes the least.

        Of a curve that falls, a flatter one credits low positions with less attraction for the same clicks; so an item
        that should rise under this end of the band should rise under every curve within it. Without a measurement it is
        flat: then only what is clicked more often than what stands above it rises.
        """
        logs = np.log(self.theta) + SURELY * np.sqrt(np.diag(self.covariance))
        return Propensities(np.minimum(np.exp(logs), np.maximum(self.theta, 1.0)), self.covariance, self.num_pairs)

    def drawn(self, draws: int, seed: int = 0) -> Iterator["Propensities"]:
        """Curves from the band, none of which rises above the first position unless this one does."""
        chance = np.random.default_rng(seed)
        apart = chance.multivariate_normal(np.zeros(len(self.theta)), self.covariance, draws, method="eigh")
        most = np.maximum(self.theta, 1.0)
        for one in apart:
            yield Propensities(np.clip(self.theta * np.exp(one), _LEAST, most), self.covariance, self.num_pairs)

    def at(self, positions: np.ndarray) -> np.ndarray:
        """(n,) examination at 1-based positions, beyond the measured ones by the power law through the last."""
        last = len(self.theta)
        steepness = max(-float(np.log(self.theta[-1])), 0.0) / np.log(last)
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
    """1 / position: what is assumed before anything is measured, from flat to 1 / position² within two deviations."""
    logs = np.log(np.arange(1, POSITIONS + 1))
    covariance = _STEEPNESS_DEVIATION**2 * np.outer(logs, logs)
    return Propensities(np.exp(-_STEEPNESS * logs), covariance, 0)


def measure_propensities(cells: ClickAggregates) -> Propensities:
    """Intervention harvesting (Agarwal et al. 2019, arXiv:1812.05161) by a conditional likelihood.

    An item's clicks for a query under one ranker fall on the positions at which it was shown, be it by a random swap or
    by itself, in proportion to impressions times examination, however much it is liked. The prior of the curve is wide
    on its slope and tight on its bends; how tight, and whether hits stand in rows of several columns, the clicks decide
    (the fits are averaged by their evidence: Hoeting et al. 1999).
    """
    strata = strata_of(cells)
    pairs = count_pairs_of_positions(strata)
    return curve_of(averaged(strata, priors()), pairs) if pairs else assumed_propensities()


def curve_of(found: Fit, pairs: int) -> Propensities:
    """The curve whose logarithms after the first are the fit's first coefficients."""
    logs = np.append(0.0, found.coefficients[: POSITIONS - 1])
    covariance = np.zeros((POSITIONS, POSITIONS))
    covariance[1:, 1:] = found.covariance[: POSITIONS - 1, : POSITIONS - 1]
    return Propensities(np.exp(np.maximum(logs, np.log(_LEAST))), covariance, pairs)


def strata_of(cells: ClickAggregates) -> Strata:
    """Impressions and clicks by position of each item that one ranker showed for a query.

    Where the log does not name the ranker, each week counts as one ranker: an item that rises while it is popular, and
    falls later, would otherwise look like position bias.
    """
    near = cells.where(cells.position <= POSITIONS)
    stratum, place = stratum_of(near), near.position - 1
    codes, row = np.unique(stratum * POSITIONS + place, return_inverse=True)
    shown, clicked = (np.bincount(row, x, len(codes)) for x in (near.impressions, near.clicks))
    query = np.zeros(len(codes), np.int64)
    query[row] = near.query
    design = np.eye(POSITIONS)[:, 1:][codes % POSITIONS]
    return Strata.of(codes // POSITIONS, design, shown, clicked, query)


def stratum_of(cells: ClickAggregates) -> np.ndarray:
    """(n,) the number of each cell's ranker (or week), layout, query and item."""
    unnamed = np.array([name == "" for name in cells.rankers], bool)
    week = np.where(unnamed[cells.ranker], cells.day // _WEEK, 0) if len(cells) else cells.day
    keys = np.stack([cells.ranker, week, cells.layout, cells.query, cells.item])
    return np.unique(keys, axis=1, return_inverse=True)[1].ravel()


def count_pairs_of_positions(strata: Strata) -> int:
    """Pairs of positions at which the same items were shown, with enough clicks to compare."""
    shown, clicked = tables_of(strata)
    at_first = clicked.T @ (shown > 0)
    return int(np.triu(np.minimum(at_first, at_first.T) >= _FEWEST_CLICKS, 1).sum())


def tables_of(strata: Strata) -> tuple[np.ndarray, np.ndarray]:
    """Impressions and clicks of the strata by position, (S, POSITIONS) each."""
    shown, clicked = np.zeros((2, len(strata), POSITIONS))
    place = np.where(strata.design.any(axis=1), strata.design.argmax(axis=1) + 1, 0)
    shown[strata.stratum, place], clicked[strata.stratum, place] = strata.shown, strata.clicked
    return shown, clicked


def priors() -> list[tuple[np.ndarray, np.ndarray]]:
    """Means (POSITIONS - 1,) and precisions of the logarithms after the first, for each smoothness and grid."""
    logs = np.log(np.arange(1, POSITIONS + 1))
    mean = -_STEEPNESS * logs[1:]
    parts = np.vstack([logs[1:] / (logs @ logs), _bends()[:, 1:]])  # the slope, and each bend
    found = []
    for smoothness in _SMOOTHNESSES:
        variances = np.append(_STEEPNESS_DEVIATION**2, np.full(len(parts) - 1, 1 / smoothness))
        backwards = np.linalg.inv(parts)
        covariance = backwards @ np.diag(variances) @ backwards.T
        found += [(mean, np.linalg.inv(covariance + of_grid)) for of_grid in (0.0, *map(_grid_covariance, _COLUMNS))]
    return found


def averaged(strata: Strata, choices: list[tuple[np.ndarray, np.ndarray]]) -> Fit:
    """The fits under all priors, each by how likely it makes the clicks."""
    found, start = [], choices[0][0]
    for mean, precision in choices:
        found.append(fit(strata, mean, precision, start))
        start = found[-1].coefficients
    evidence = np.array([one.evidence for one in found])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    mean = sum(weight * one.coefficients for weight, one in zip(weights, found, strict=True))
    away = [one.coefficients - mean for one in found]
    covariance = sum(
        weight * (one.covariance + np.outer(apart, apart))
        for weight, one, apart in zip(weights, found, away, strict=True)
    )
    return Fit(np.asarray(mean), np.asarray(covariance), float(evidence.max()))


def _grid_covariance(columns: int) -> np.ndarray:
    """(POSITIONS - 1, POSITIONS - 1) what positions have in common by their rows and columns, relative to the first."""
    place = np.arange(POSITIONS)
    row, column = (place[:, None] // columns == place // columns), (place[:, None] % columns == place % columns)
    whole = _ROW**2 * row + _COLUMN**2 * column
    relative = whole - whole[:1] - whole[:, :1] + whole[0, 0]
    return np.asarray(relative[1:, 1:])


def _bends() -> np.ndarray:
    """(POSITIONS - 2, POSITIONS) second differences in the logarithm of the position; zero for any power law."""
    steps = np.diff(np.log(np.arange(1, POSITIONS + 1)))
    rows = np.zeros((POSITIONS - 2, POSITIONS))
    for k in range(POSITIONS - 2):
        rows[k, k : k + 3] = 1 / steps[k], -(1 / steps[k] + 1 / steps[k + 1]), 1 / steps[k + 1]
    return rows
