"""Cells and exposures → debiased click rates: by query and item, and by item relative to its queries' usual rate."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data.click_cells import Cells
from search.learning.browsing import BrowsingModel

HALF_LIFE_DAYS = 30.0
_QUERY_PRIOR = 20.0  # exposures by which a query's rate is drawn towards that of all
_ITEM_PRIOR = 4.0  # expected clicks by which an item's rate is drawn towards the usual
RATES_FILE = "rates.json"


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


def count_pairs(cells: Cells, browsing: BrowsingModel) -> Pairs:
    """The cells summed by (query, item), each by its chance of being looked at and by its age."""
    newest = cells.day.max(initial=0)
    fading = 0.5 ** ((newest - cells.day) / HALF_LIFE_DAYS)
    looked_at = cells.impressions * browsing.examination(cells.position, cells.after)
    keys, pair = np.unique(cells.query * max(len(cells.items), 1) + cells.item, return_inverse=True)
    sums = [np.bincount(pair, fading * x, len(keys)) for x in (looked_at, cells.clicks, cells.conversions)]
    query, item = np.divmod(keys, max(len(cells.items), 1))
    return Pairs(cells.queries, cells.items, query, item, *sums)


@dataclass(frozen=True)
class Rates:
    """Items' click rates relative to what their queries and positions let expect: 1 is usual, 2 twice that."""

    clicks: dict[str, float]
    expected: dict[str, float]

    def item_rate(self, item_id: str) -> float:
        """Clicks over expected clicks, drawn towards 1 where little is known, and 1 where nothing is."""
        return (self.clicks.get(item_id, 0.0) + _ITEM_PRIOR) / (self.expected.get(item_id, 0.0) + _ITEM_PRIOR)

    def popularity(self, item_id: str) -> float:
        """Clicks, fading with a half-life of 30 days, 0 for an item never clicked."""
        return self.clicks.get(item_id, 0.0)


def item_rates(pairs: Pairs) -> Rates:
    """The pairs summed by item."""
    clicks, expected = (np.bincount(pairs.item, x, len(pairs.items)) for x in (pairs.clicks, pairs.expected))
    return Rates(
        dict(zip(pairs.items, clicks.tolist(), strict=True)), dict(zip(pairs.items, expected.tolist(), strict=True))
    )


def write_rates(rankers_dir: Path, rates: Rates) -> None:
    """Keeps the rates for `read_rates`, beside their place and renamed."""
    rankers_dir.mkdir(parents=True, exist_ok=True)
    beside = rankers_dir / f"{RATES_FILE}.new"
    beside.write_text(json.dumps({"clicks": rates.clicks, "expected": rates.expected}), encoding="utf-8")
    beside.replace(rankers_dir / RATES_FILE)


def read_rates(rankers_dir: Path) -> Rates:
    """The rates of the last training; before any, every item has the usual rate."""
    try:
        kept = json.loads((rankers_dir / RATES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Rates({}, {})
    return Rates(kept["clicks"], kept["expected"])
