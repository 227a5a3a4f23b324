"""Freshness: raises the scores of newer candidates, within bounds.

Off unless the owner sets a weight, since nothing here measures whether newer items are better.
"""

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RELEVANCE, RankedList

_DAY_S = 86_400.0
_FIRST = 60  # candidates whose scores' deviation is the unit of the gain


class Freshness:
    """When each item entered the catalogue. Safe to share among threads that search; one refreshes at a time."""

    def __init__(self, catalogue: Catalogue, weight: float, half_life_days: float) -> None:
        self._catalogue = catalogue
        self._weight = weight
        self._half_life_days = half_life_days
        self._since = (np.zeros(0, np.int64), np.zeros(0))  # ascending `items.id`, seconds since 1970

    def refresh(self) -> None:
        """Takes in the items that came since the last time."""
        if not self._weight:
            return
        ids, since = self._since
        fresh = self._catalogue.created_after(int(ids[-1]) if len(ids) else 0)
        if fresh:
            added = np.array(fresh)
            self._since = np.concatenate([ids, added[:, 0].astype(np.int64)]), np.concatenate([since, added[:, 1]])

    def freshen(self, order: RankedList, request: SearchRequest, parsed: ParsedQuery, now_s: float) -> RankedList:
        """The order with what is gained by being newer: between nothing for the oldest candidate and `weight`
        standard deviations of the first candidates' scores. Unchanged where all are of one age, and without relevance.
        """
        is_ranked = request.rerank and request.sort == RELEVANCE and not parsed.is_browsing
        if not self._weight or not is_ranked or len(order) < 2:
            return order
        share = self._newness(order.ids, now_s)
        if share.max() == share.min():
            return order
        scores = order.top_scores(len(order))
        added = self._weight * float(scores[:_FIRST].std()) * (share - share.min())
        rank = np.lexsort((order.ids, -(scores + added), order.tiers))
        return order.reordered(rank, "freshness", added[rank].astype(np.float32))

    def _newness(self, ids: np.ndarray, now_s: float) -> np.ndarray:
        """(n,) from 1 for today's items down, half of it after each half-life; whole days, so that the items of one
        import are of one age. 0 for those that are not known yet."""
        known, since = self._since
        if not len(known):
            return np.zeros(len(ids))
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        age_days = np.maximum(0.0, np.floor((now_s - since[place]) / _DAY_S))
        return np.where(known[place] == ids, 0.5 ** (age_days / self._half_life_days), 0.0)
