"""The click log → the queries that led people to each item, for vectors and suggestions, if enough people asked."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from data.click_cells import read_cells, refresh_cells
from data.database import Database
from data.query_keys import query_key
from data.shared_queries import shared_queries

FEWEST_CLIENTS = 5
HALF_LIFE_DAYS = 30.0
_USUAL = 3.0  # expected clicks by which a pair's rate is drawn towards its query's usual one
_LEAST_CLICKS = 2.0


@dataclass(frozen=True)
class ClickedQuery:
    """A query that led to an item. `weight` is how much more often than its other hits it was clicked, times the
    logarithm of how often it was."""

    text: str
    weight: float


def clicked_queries(
    database: Database, theta: np.ndarray | None = None, fewest_clients: int = FEWEST_CLIENTS
) -> dict[str, list[ClickedQuery]]:
    """By item id, the queries of at least `fewest_clients` different clients that led to it, heaviest first.

    `theta` (k,) is how likely each position is looked at, 1 / position where it is not given; clicks count by the
    looks that they took. What is set aside does not count, and counts fade with a half-life of 30 days.
    """
    refresh_cells(database)
    cells = read_cells(database)
    if not len(cells):
        return {}
    popular = {query_key(text) for text, _ in shared_queries(database, 0, fewest_clients)}
    fading = 0.5 ** ((cells.day.max() - cells.day) / HALF_LIFE_DAYS)
    looks = fading * cells.impressions * _looks(cells.position, theta)
    keys, pair = np.unique(cells.query * len(cells.items) + cells.item, return_inverse=True)
    exposure, clicks = (np.bincount(pair, x, len(keys)) for x in (looks, fading * cells.clicks))
    query, item = np.divmod(keys, len(cells.items))
    usual = np.bincount(query, clicks, len(cells.queries)) / np.bincount(query, exposure, len(cells.queries))
    expected = exposure * usual[query]
    weights = (clicks + _USUAL) / (expected + _USUAL) * np.log1p(clicks)
    found: dict[str, list[ClickedQuery]] = defaultdict(list)
    for place in np.argsort(-weights, kind="stable"):
        text = cells.queries[query[place]]
        if clicks[place] >= _LEAST_CLICKS and text in popular:
            found[cells.items[item[place]]].append(ClickedQuery(text, float(weights[place])))
    return dict(found)


def _looks(position: np.ndarray, theta: np.ndarray | None) -> np.ndarray:
    if theta is None:
        return 1 / position
    return np.asarray(theta)[np.minimum(position, len(theta)) - 1]
