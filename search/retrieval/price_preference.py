"""Prefers low prices within the kind where a query wishes for something cheap, mildly."""

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RELEVANCE, SCORED_MATCH, RankedList

SOURCE = "price"
_MOST = 0.1  # what the cheapest of a category gains
_FIRST = 200  # candidates among which prices are compared


def prefer_low_prices(order: RankedList, request: SearchRequest, parsed: ParsedQuery) -> RankedList:
    """The order with an addend for the prices of the first candidates, where the query wishes for low ones.

    Only what matches and has all addends gains. The cheapest of a category gains `_MOST`, the dearest nothing, and in
    between the rank of the price counts.
    """
    first = min(_FIRST, len(order))
    if not parsed.reading.prefers_low_prices or request.sort != RELEVANCE or parsed.is_browsing or not first:
        return order
    added = np.zeros(len(order), np.float32)
    added[:first] = price_gains(*_prices_and_categories(order, first))
    rank = np.lexsort((order.ids, -(order.top_scores(len(order)) + added), order.tiers))
    return order.reordered(rank, SOURCE, added[rank])


def price_gains(prices: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """(n,) float32 gains of these (n,) prices: `_MOST` for the lowest in a category, 0 for the highest and for NaN."""
    gains = np.zeros(len(prices), np.float32)
    for category in np.unique(categories):
        own = np.flatnonzero((categories == category) & ~np.isnan(prices))
        distinct, ranks = np.unique(prices[own], return_inverse=True)
        if len(distinct) > 1:
            gains[own] = _MOST * (1 - ranks / (len(distinct) - 1))
    return gains


def _prices_and_categories(order: RankedList, first: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) prices, NaN without one and for what does not match, and (n,) categories of the first candidates."""
    prices, categories = np.full(first, np.nan), np.full(first, "", object)
    is_match = order.tiers[:first] == SCORED_MATCH
    for number, candidates in enumerate(order.lists):
        own = np.flatnonzero(is_match & (order.of_list[:first] == number))
        segment, rows = candidates.segment, candidates.rows[order.places[own]]
        prices[own] = segment.prices[rows]
        categories[own] = [segment.columns.first_word("category", row) for row in rows.tolist()]
    return prices, categories.astype(str)
