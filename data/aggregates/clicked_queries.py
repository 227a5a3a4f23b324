"""For each item the queries that led people to it, from the click aggregates, if enough people asked them."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates, read_click_aggregates, refresh_click_aggregates
from magpie.data.aggregates.k_anonymous_queries import shared_queries
from magpie.data.database.connection import Database
from magpie.data.events.query_normalisation import query_key

FEWEST_CLIENTS = 5
HALF_LIFE_DAYS = 30.0
_USUAL = 3.0  # expected clicks by which a pair's rate is drawn towards its query's usual one
_LEAST_CLICKS = 2.0


@dataclass(frozen=True)
class ClickedQuery:
    """A query that led to an item: chosen more often than the query's other hits. `weight` is the logarithm of how much
    more often, above 0, drawn towards 0 where there are few clicks."""

    text: str
    weight: float


def clicked_queries(
    database: Database,
    measure: Callable[[ClickAggregates], tuple[ClickAggregates, np.ndarray]] | None = None,
    fewest_clients: int = FEWEST_CLIENTS,
) -> dict[str, list[ClickedQuery]]:
    """By item id, the queries of at least `fewest_clients` different clients that led to it, heaviest first.

    `measure` returns the aggregates that count and the propensity of each position, (k,); without it the propensity is
    1 / position. Filtered events do not count.
    """
    refresh_click_aggregates(database)
    cells = read_click_aggregates(database)
    popular = {query_key(text) for text, _ in shared_queries(database, 0, fewest_clients)}
    led = weigh_clicked_queries(*measure(cells)) if measure else weigh_clicked_queries(cells)
    kept = {item: [query for query in queries if query.text in popular] for item, queries in led.items()}
    return {item: queries for item, queries in kept.items() if queries}


def weigh_clicked_queries(cells: ClickAggregates, theta: np.ndarray | None = None) -> dict[str, list[ClickedQuery]]:
    """By item id the queries that led to it, heaviest first, of any number of people.

    Clicks are divided by exposure (impressions times propensity `theta`); both decay with a half-life of 30 days.
    """
    if not len(cells):
        return {}
    fading = 0.5 ** ((cells.day.max() - cells.day) / HALF_LIFE_DAYS)
    exposures = fading * cells.impressions * _propensities(cells.position, theta)
    keys, pair = np.unique(cells.query * len(cells.items) + cells.item, return_inverse=True)
    exposure, clicks = (np.bincount(pair, x, len(keys)) for x in (exposures, fading * cells.clicks))
    query, item = np.divmod(keys, len(cells.items))
    usual = np.bincount(query, clicks, len(cells.queries)) / np.bincount(query, exposure, len(cells.queries))
    expected = exposure * usual[query]
    weights = np.log((clicks + _USUAL) / (expected + _USUAL)) * clicks / (clicks + _USUAL)
    found: dict[str, list[ClickedQuery]] = defaultdict(list)
    for place in np.argsort(-weights, kind="stable"):
        if weights[place] > 0 and clicks[place] >= _LEAST_CLICKS:
            text = cells.queries[query[place]]
            found[cells.items[item[place]]].append(ClickedQuery(text, float(weights[place])))
    return dict(found)


def _propensities(position: np.ndarray, theta: np.ndarray | None) -> np.ndarray:
    if theta is None:
        return 1 / position
    return np.asarray(theta)[np.minimum(position, len(theta)) - 1]
