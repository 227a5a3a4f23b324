"""Two click models, position-based and cascade, and their comparison on held-out clicks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.layout_bias import measure_by_layout
from magpie.search.click_models.position_bias import Propensities, measure_propensities

_HELD_OUT_SHARE = 1 / 3
_CLEARLY = 2.0  # standard errors by which the cascade must win: the position model explains itself more easily
_FEWEST_CLICKS = 1_000
_REACH = 100
_POWER_IN_CASCADES = 0.5


@dataclass(frozen=True)
class PositionModel:
    """The position-based model: a position is examined with its own probability, whatever was clicked before.

    Layouts in `by_layout` have probabilities of their own. Exposures take the probabilities to a `power`, below 1 where
    the cascade explains clicks better.
    """

    propensities: Propensities
    by_layout: Mapping[str, Propensities] = field(default_factory=dict)
    power: float = 1.0
    name = "position"

    def exposure(self, cells: ClickAggregates) -> np.ndarray:
        """(n,) impressions of each cell times their probability of being examined."""
        looked_at = self.propensities.at(cells.position)
        for number, layout in enumerate(cells.layouts):
            if layout in self.by_layout:
                own = cells.layout == number
                looked_at[own] = self.by_layout[layout].at(cells.position[own])
        return cells.impressions * looked_at**self.power

    def examination(self, position: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(n,) probability that an item at this position is examined."""
        return self.propensities.at(position)

    def as_dict(self) -> dict[str, Any]:
        return {"model": self.name, "power": self.power}


@dataclass(frozen=True)
class CascadeModel:
    """People examine hits from the top down, and go on with one probability after a skip, another after a click.

    The dynamic Bayesian network of Chapelle and Zhang (2009) with one satisfaction for all items. Given the last click
    above, the probability of examination follows from the number of hits skipped since. `attraction` is the mean
    probability of a click on an examined hit.
    """

    after_skip: float
    after_click: float
    attraction: float
    name = "cascade"

    def exposure(self, cells: ClickAggregates) -> np.ndarray:
        """(n,) impressions of each cell times their probability of being examined."""
        return cells.impressions * self.examination(cells.position, cells.after)

    def examination(self, position: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(n,) probability that an item at this position is examined, given the last click above it (0: none)."""
        from_top, from_click = self._falls(1.0), self._falls(self.after_click)
        since = np.minimum(np.maximum(position - after - 1, 0), _REACH - 1)
        return np.where(after == 0, from_top[since], from_click[since])

    def _falls(self, start: float) -> np.ndarray:
        """(_REACH,) the probability that the first, second, … hit is examined while none is clicked."""
        chances = [start]
        while len(chances) < _REACH:
            last, liked = chances[-1], min(self.attraction, 0.999)  # a fit tries extremes too
            chances.append(max(self.after_skip * last * (1 - liked) / (1 - last * liked), 1e-4))
        return np.array(chances)

    def as_dict(self) -> dict[str, Any]:
        values = {"after_skip": self.after_skip, "after_click": self.after_click, "attraction": self.attraction}
        return {"model": self.name} | {name: round(value, 4) for name, value in values.items()}


ClickModel = PositionModel | CascadeModel


@dataclass(frozen=True)
class ClickModelReport:
    """The model that serves, the parameters of both, and the cascade's advantage on held-out clicks.

    `advantage` is in nats a click, with its standard error over queries; both are None while the log is too short.
    """

    model: PositionModel
    propensities: Propensities
    cascade: CascadeModel | None
    advantage: float | None
    advantage_se: float | None
    by_layout: Mapping[str, Propensities] = field(default_factory=dict)

    @property
    def likelier(self) -> str:
        """The model that explains the later days' clicks better, the simpler one where that is not sure."""
        wins = self.advantage is not None and self.advantage > _CLEARLY * (self.advantage_se or 0.0)
        return CascadeModel.name if wins else PositionModel.name

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "chosen": self.model.name,
            "power": self.model.power,
            "likelier": self.likelier,
            "propensities": self.propensities.as_dict(),
            "layouts": {name: measured.as_dict() for name, measured in self.by_layout.items()},
        }
        if self.cascade is not None:
            shown |= {"cascade": self.cascade.as_dict(), "cascade_advantage": self.advantage}
            shown |= {"cascade_advantage_se": self.advantage_se}
        return shown


def choose_click_model(cells: ClickAggregates) -> ClickModelReport:
    """The position-based model, and the cascade compared with it by the likelihood of the later days' clicks.

    Both are fitted to the earlier days. The position-based model serves even where the cascade explains clicks better,
    since a cascade with one attraction for all items falls too steeply. But then exposures take the square root of the
    probabilities: how far people look differs from list to list, so a click far down says less (docs/notes/clicks.md).
    """
    propensities = measure_propensities(cells)
    by_layout = measure_by_layout(cells, propensities)
    position = PositionModel(propensities, by_layout)
    early, late = split_by_day(cells, _HELD_OUT_SHARE)
    if min(early.num_clicks, late.num_clicks) < _FEWEST_CLICKS:
        return ClickModelReport(position, propensities, None, None, None, by_layout)
    cascade = fit_cascade(early)
    sooner = measure_propensities(early)
    contenders = (PositionModel(sooner, measure_by_layout(early, sooner)), cascade)
    by_position, by_cascade = (_likelihood_by_query(late, one) for one in contenders)
    gains, clicks = by_cascade - by_position, np.bincount(late.query, late.clicks, len(late.queries))
    advantage = float(gains.sum() / clicks.sum())
    deviation = float(np.sqrt(((gains - advantage * clicks) ** 2).sum()) / clicks.sum())
    report = ClickModelReport(position, propensities, cascade, round(advantage, 5), round(deviation, 5), by_layout)
    if report.likelier == PositionModel.name:
        return report
    return replace(report, model=replace(position, power=_POWER_IN_CASCADES))


def fit_cascade(cells: ClickAggregates) -> CascadeModel:
    """The cascade under which the clicks are likeliest, given how many each item got for each query."""
    from scipy.optimize import minimize  # here: a server that has no ranker does without it

    exposures = _Exposures.of(cells)

    def loss(logits: np.ndarray) -> float:
        model = CascadeModel(*(float(value) for value in 1 / (1 + np.exp(-logits))))
        return -float(exposures.likelihood_by_query(model.examination).sum()) + 0.1 * float((logits**2).sum())

    found = minimize(loss, np.array([2.0, 0.0, -1.5]), method="Nelder-Mead", options={"maxfev": 200, "xatol": 0.01})
    return CascadeModel(*(float(value) for value in 1 / (1 + np.exp(-found.x))))


def split_by_day(cells: ClickAggregates, late_share: float) -> tuple[ClickAggregates, ClickAggregates]:
    """The earlier days and the later ones, which hold about this share of the clicks and at least one day."""
    days, place = np.unique(cells.day, return_inverse=True)
    clicks = np.bincount(place, cells.clicks, len(days))
    early = np.cumsum(clicks) <= (1 - late_share) * clicks.sum()
    if len(early):
        early[-1] = False
    return cells.where(early[place]), cells.where(~early[place])


def _likelihood_by_query(cells: ClickAggregates, model: ClickModel) -> np.ndarray:
    """(queries,) the conditional Poisson log-likelihood of the positions of an item's clicks, given their number.

    The clicks on an item fall on its exposures in proportion to these, however much the item is liked, so only the
    model of examination is judged.
    """
    exposure = model.exposure(cells)
    _, pair = np.unique(cells.query * max(len(cells.items), 1) + cells.item, return_inverse=True)
    share = exposure / np.bincount(pair, exposure)[pair] if len(exposure) else exposure
    return np.bincount(cells.query, cells.clicks * np.log(np.maximum(share, 1e-12)), len(cells.queries))


@dataclass(frozen=True)
class _Exposures:
    """ClickAggregates without their days and rankers, (n,) columns; `pair` numbers the (query, item)."""

    num_queries: int
    query: np.ndarray
    pair: np.ndarray
    position: np.ndarray
    after: np.ndarray
    impressions: np.ndarray
    clicks: np.ndarray

    @classmethod
    def of(cls, cells: ClickAggregates) -> "_Exposures":
        keys = np.stack([cells.query, cells.item, cells.position, cells.after])
        (query, item, position, after), place = np.unique(keys, axis=1, return_inverse=True)
        impressions, clicks = (np.bincount(place, x, len(query)) for x in (cells.impressions, cells.clicks))
        _, pair = np.unique(query * max(len(cells.items), 1) + item, return_inverse=True)
        return cls(len(cells.queries), query, pair, position, after, impressions, clicks)

    def likelihood_by_query(self, examination: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        exposure = self.impressions * examination(self.position, self.after)
        share = exposure / np.bincount(self.pair, exposure)[self.pair] if len(exposure) else exposure
        return np.bincount(self.query, self.clicks * np.log(np.maximum(share, 1e-12)), self.num_queries)
