"""Debiased click rates by query and item, and the usual rate of each query."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import ClickModel

HALF_LIFE_DAYS = 30.0
_QUERY_PRIOR = 20.0  # exposures by which a query's rate is drawn towards that of all


@dataclass(frozen=True)
class Pairs:
    """What is known of each (query, item), (m,) columns; `query` and `item` are places in `queries` and `items`.

    `exposure` counts impressions by their chance of being looked at; all counts fade with a half-life of 30 days.
    """

    queries: list[str]
    items: list[str]
    query: np.ndarray
    item: np.ndarray
    exposure: np.ndarray
    clicks: np.ndarray
    conversions: np.ndarray

    @cached_property
    def usual_rate(self) -> float:
        """Clicks per exposure over everything."""
        return max(float(self.clicks.sum()) / max(float(self.exposure.sum()), 1e-9), 1e-6)

    @cached_property
    def query_exposure(self) -> np.ndarray:
        """(queries,) exposures of each query's hits."""
        return np.bincount(self.query, self.exposure, len(self.queries))

    @cached_property
    def query_rates(self) -> np.ndarray:
        """(queries,) clicks per exposure of each query's hits, drawn towards the usual rate."""
        clicks = np.bincount(self.query, self.clicks, len(self.queries))
        return (clicks + _QUERY_PRIOR * self.usual_rate) / (self.query_exposure + _QUERY_PRIOR)

    @cached_property
    def expected(self) -> np.ndarray:
        """(m,) the clicks that each item would have at its queries' usual rates."""
        return self.exposure * self.query_rates[self.query]


def count_pairs(cells: ClickAggregates, model: ClickModel) -> Pairs:
    """The cells summed by (query, item), each by its chance of being looked at and by its age."""
    newest = cells.day.max(initial=0)
    fading = 0.5 ** ((newest - cells.day) / HALF_LIFE_DAYS)
    looked_at = model.exposure(cells)
    keys, pair = np.unique(cells.query * max(len(cells.items), 1) + cells.item, return_inverse=True)
    clicks = cells.clicks - model.trusted(cells)
    sums = [np.bincount(pair, fading * x, len(keys)) for x in (looked_at, clicks, cells.conversions)]
    sums[1] = np.maximum(sums[1], 0.0)
    query, item = np.divmod(keys, max(len(cells.items), 1))
    return Pairs(cells.queries, cells.items, query, item, *sums)
