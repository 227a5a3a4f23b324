"""Three click models (position-based, cascade, trust bias), compared by how well they foretell later clicks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.conditional_poisson import Strata, fit
from magpie.search.click_models.layout_bias import measure_by_layout
from magpie.search.click_models.position_bias import (
    POSITIONS,
    Propensities,
    count_pairs_of_positions,
    curve_of,
    measure_propensities,
    strata_of,
    stratum_of,
)

POSITION, CASCADE, TRUST = "position", "cascade", "trust"
_HELD_OUT_SHARE = 1 / 3
_CLEARLY = 2.0  # standard errors by which another model must win: the position model explains itself more easily
_FEWEST_CLICKS = 1_000
_AFTER_DEVIATION = 2.0  # of the logarithm of what a click above changes, before anything is known
_TRUSTS = (0.05, 0.1, 0.2, 0.4)  # clicks on what was looked at in the first place and does not fit, that are tried
_RATE_PRIOR = 5.0  # exposures by which an item's rate is drawn towards its query's


@dataclass(frozen=True)
class ClickModel:
    """How likely a shown item is examined: by its position, and (cascade) by the last click above it.

    Layouts in `by_layout` have curves of their own. Below a click, examination changes by the factor exp(level + slope
    log(distance)), `after_click` (user browsing model: Dupret and Piwowarski 2008, with these two parameters). With
    `trust`, what is examined at position k is clicked `trust` / k more often than it is wanted (affine correction:
    Vardasbi et al. 2020).
    """

    propensities: Propensities
    by_layout: Mapping[str, Propensities] = field(default_factory=dict)
    after_click: tuple[float, float] | None = None
    trust: float = 0.0

    @property
    def name(self) -> str:
        return CASCADE if self.after_click else TRUST if self.trust else POSITION

    @cached_property
    def flattest(self) -> "ClickModel":
        """The same with the upper ends of its curves' bands."""
        layouts = {name: curve.flattest for name, curve in self.by_layout.items()}
        return replace(self, propensities=self.propensities.flattest, by_layout=layouts)

    @cached_property
    def cautious(self) -> "ClickModel":
        """The model to learn under: the upper ends of the bands of those curves that are not measured."""
        layouts = {name: curve.cautious for name, curve in self.by_layout.items()}
        return replace(self, propensities=self.propensities.cautious, by_layout=layouts)

    def examination(self, position: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(n,) probability that an item at this position is examined, given the last click above it (0: none)."""
        return np.asarray(self.propensities.at(position) * self._after(position, after))

    def exposure(self, cells: ClickAggregates) -> np.ndarray:
        """(n,) impressions of each cell times their probability of being examined."""
        looked_at = self.propensities.at(cells.position)
        for number, layout in enumerate(cells.layouts):
            if layout in self.by_layout:
                own = cells.layout == number
                looked_at[own] = self.by_layout[layout].at(cells.position[own])
        return np.asarray(cells.impressions * looked_at * self._after(cells.position, cells.after))

    def trusted(self, cells: ClickAggregates) -> np.ndarray:
        """(n,) clicks of each cell that are owed to its position and not to the item."""
        return np.asarray(self.exposure(cells) * self.trust / cells.position)

    def _after(self, position: np.ndarray, after: np.ndarray) -> np.ndarray | float:
        if self.after_click is None:
            return 1.0
        level, slope = self.after_click
        return np.where(after > 0, np.exp(level + slope * np.log(np.maximum(position - after, 1))), 1.0)

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"model": self.name}
        if self.after_click:
            shown["after_click"] = [round(value, 4) for value in self.after_click]
        return shown | ({"trust": self.trust} if self.trust else {})


def as_clicked() -> ClickModel:
    """The model that takes clicks as they are: every position is examined alike."""
    return ClickModel(Propensities(np.ones(POSITIONS), np.zeros((POSITIONS, POSITIONS)), 0))


@dataclass(frozen=True)
class ClickModelReport:
    """The model that is learned from, the position-based curve, and the others' advantages on held-out clicks.

    `advantages` are in nats a click over the position-based model, each with its standard error over queries; empty
    while the log is too short. `is_refuted` where clicks contradicted the measured curve, so that it is assumed again.
    """

    model: ClickModel
    propensities: Propensities
    advantages: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    is_refuted: bool = False

    @property
    def by_layout(self) -> Mapping[str, Propensities]:
        return self.model.by_layout

    def as_dict(self) -> dict[str, Any]:
        return {
            "chosen": self.model.name,
            "how": "measured" if self.propensities.is_measured else "assumed",
            "refuted": self.is_refuted,
            "propensities": self.propensities.as_dict(),
            "layouts": {name: measured.as_dict() for name, measured in self.by_layout.items()},
            "advantages": {name: {"nats": gain, "se": error} for name, (gain, error) in self.advantages.items()},
        } | self.model.as_dict()


def choose_click_model(cells: ClickAggregates) -> ClickModelReport:
    """The position-based model, or another one where it explains the later days' clicks clearly better.

    All are fitted to the earlier days and judged by where the later days' clicks on each item fell, given their number:
    however much an item is liked cancels out. Only the position-based model has a curve for each layout.
    """
    early, late = split_by_day(cells, _HELD_OUT_SHARE)
    propensities = measure_propensities(cells)
    position = ClickModel(propensities, measure_by_layout(cells, propensities))
    if min(early.num_clicks, late.num_clicks) < _FEWEST_CLICKS:
        return ClickModelReport(position, propensities)
    clicks = np.bincount(late.query, late.clicks, len(late.queries))
    curve = measure_propensities(early)
    sooner = ClickModel(curve, measure_by_layout(early, curve))
    base = _likelihood_by_query(early, late, sooner)
    advantages, best, fits = {}, position, {CASCADE: fit_cascade, TRUST: fit_trust}
    for name, fit_model in fits.items():
        other = fit_model(early, curve)
        gains = _likelihood_by_query(early, late, other) - base
        gain = float(gains.sum() / clicks.sum())
        error = float(np.sqrt(((gains - gain * clicks) ** 2).sum()) / clicks.sum())
        advantages[name] = round(gain, 5), round(error, 5)
    winner = max(advantages, key=lambda name: advantages[name][0])
    if advantages[winner][0] > _CLEARLY * advantages[winner][1]:
        best = fits[winner](cells, propensities)
    return ClickModelReport(best, propensities, advantages)


def fit_cascade(cells: ClickAggregates, curve: Propensities) -> ClickModel:
    """The model in which a click above changes examination, around a position-based `curve`.

    What a click above changes is measured without any swap, since the same item at the same position is shown below a
    click in one search and not in another; the curve then is that of positions with no click above.
    """
    near = cells.where(cells.position <= POSITIONS)
    size, stratum = POSITIONS + 1, stratum_of(near)
    codes, row = np.unique((stratum * size + near.position) * size + near.after, return_inverse=True)
    shown, clicked = (np.bincount(row, x, len(codes)) for x in (near.impressions, near.clicks))
    query = np.zeros(len(codes), np.int64)
    query[row] = near.query
    above, after = np.divmod(codes, size)
    of_stratum, position = np.divmod(above, size)
    distance = np.where(after > 0, np.log(np.maximum(position - after, 1)), 0.0)
    design = np.column_stack([np.eye(POSITIONS)[:, 1:][position - 1], after > 0, distance])
    logs = np.log(np.arange(2, POSITIONS + 1))
    precision = np.zeros((POSITIONS + 1, POSITIONS + 1))
    precision[:-2, :-2] = np.linalg.inv(np.outer(logs, logs) + 0.05 * np.eye(len(logs)))
    precision[-2:, -2:] = np.eye(2) / _AFTER_DEVIATION**2
    start = np.append(-logs, [0.0, 0.0])
    found = fit(Strata.of(of_stratum, design, shown, clicked, query), start, precision, start)
    level, slope = found.coefficients[-2:]
    return ClickModel(curve_of(found, curve.num_pairs), after_click=(float(level), float(slope)))


def fit_trust(cells: ClickAggregates, curve: Propensities) -> ClickModel:
    """The likeliest model with some trust in high positions.

    Each item's rate is taken from its clicks under the `curve`, less what trust explains of them, and the curve is
    fitted again with what trust adds at each position (one step of the alternation of Vardasbi et al. 2020).
    """
    best, most = ClickModel(curve, trust=_TRUSTS[0]), -np.inf
    for trust in _TRUSTS:
        model = ClickModel(curve, trust=trust)
        rates = _rates(cells, cells, model)
        raised = replace(cells, impressions=cells.impressions * (1 + trust / cells.position / rates))
        strata = strata_of(raised)
        model = ClickModel(measure_propensities(raised), trust=trust)
        logs = np.log(model.propensities.theta[1:])
        likelihood = float(strata.likelihood_by_group(logs, len(cells.queries)).sum())
        if likelihood > most:
            best, most = model, likelihood
    return replace(best, propensities=replace(best.propensities, num_pairs=count_pairs_of_positions(strata_of(cells))))


def split_by_day(cells: ClickAggregates, late_share: float) -> tuple[ClickAggregates, ClickAggregates]:
    """The earlier days and the later ones, which hold about this share of the clicks and at least one day."""
    days, place = np.unique(cells.day, return_inverse=True)
    clicks = np.bincount(place, cells.clicks, len(days))
    early = np.cumsum(clicks) <= (1 - late_share) * clicks.sum()
    if len(early):
        early[-1] = False
    return cells.where(early[place]), cells.where(~early[place])


def _rates(cells: ClickAggregates, known: ClickAggregates, model: ClickModel) -> np.ndarray:
    """(n,) the rate at which each cell's item is wanted for its query, by the clicks of `known` cells."""
    width = max(len(cells.items), 1)
    size = len(cells.queries) * width
    pair = known.query * width + known.item
    looks, owed = model.exposure(known), model.trusted(known)
    queries = len(cells.queries)
    usual = (known.clicks - owed).sum() / max(looks.sum(), 1e-9)
    of_query = (np.bincount(known.query, known.clicks - owed, queries) + _RATE_PRIOR * usual) / (
        np.bincount(known.query, looks, queries) + _RATE_PRIOR
    )
    clicks, exposure = np.bincount(pair, known.clicks - owed, size), np.bincount(pair, looks, size)
    mine = cells.query * width + cells.item
    drawn = clicks[mine] + _RATE_PRIOR * of_query[cells.query]
    return np.asarray(np.maximum(drawn / (exposure[mine] + _RATE_PRIOR), 1e-3))


def _likelihood_by_query(early: ClickAggregates, late: ClickAggregates, model: ClickModel) -> np.ndarray:
    """(queries,) the conditional Poisson log-likelihood of where an item's later clicks fell, given their number."""
    exposure = model.exposure(late)
    if model.trust:
        exposure = exposure * (1 + model.trust / late.position / _rates(late, early, model))
    _, pair = np.unique(late.query * max(len(late.items), 1) + late.item, return_inverse=True)
    share = exposure / np.bincount(pair, exposure)[pair] if len(exposure) else exposure
    return np.bincount(late.query, late.clicks * np.log(np.maximum(share, 1e-12)), len(late.queries))
