"""Popularity: counts and click rates of items over the last weeks, in memory for every search, refreshed at times."""

import threading
import time
from collections.abc import Callable, Mapping

import numpy as np

from magpie.data.aggregates.item_counts import ItemCount, count_items, count_places, is_cold
from magpie.data.aggregates.k_anonymous_queries import shared_queries
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.search.click_models.overclicked_items import overclicked_items

WINDOW_DAYS = 30
SEARCHED_DAYS = 90
COLD_BELOW = 20  # impressions
_DAY_MS = 86_400_000
_DOUBT = 10.0  # exposures by which an item's rate is drawn towards that of all


class Popularity:
    """Sums over the click log of the last weeks. Safe to share among threads.

    `position_bias` gives how likely each position is looked at, (k,), once that was measured, else None.
    """

    def __init__(
        self, database: Database, min_clients: int, position_bias: Callable[[], np.ndarray | None] = lambda: None
    ) -> None:
        self._database = database
        self._position_bias = position_bias
        self._promoted: frozenset[str] = frozenset()
        self._min_clients = min_clients
        self._counts: dict[str, ItemCount] | None = None
        self._rates: dict[str, float] = {}
        self._searched: list[tuple[str, int]] = []
        self._counting = threading.Lock()

    @property
    def counts(self) -> dict[str, ItemCount]:
        """By item id; counted at the first use."""
        if self._counts is None:
            self.refresh()
        return self._counts or {}

    @property
    def is_counted(self) -> bool:
        """Whether there was a first count: of a long log it takes seconds, for which no page should wait."""
        return self._counts is not None

    @property
    def rates(self) -> dict[str, float]:
        """The click rate of every item that somebody chose and that nobody promotes, by item id."""
        return self._rates if self.counts else {}

    @property
    def promoted(self) -> frozenset[str]:
        """Items that were surely chosen more often than looked at: nothing that people do with them makes them popular.

        Empty as long as nobody has measured how far people look.
        """
        return self._promoted

    @property
    def searched(self) -> list[tuple[str, int]]:
        """What enough different clients searched in 90 days, with how many, in alphabetical order; empty until the
        first count, which nobody who types waits for."""
        return self._searched

    def is_cold(self, item_id: str) -> bool:
        """Whether an item was hardly shown yet; False until the first count, which no search waits for."""
        return self._counts is not None and is_cold(self._counts, item_id, COLD_BELOW)

    def refresh(self) -> float:
        """Counts anew; returns the seconds that took."""
        with self._counting:
            started = time.perf_counter()
            counts = count_items(self._database, now_ms() - WINDOW_DAYS * _DAY_MS)
            theta = self._position_bias()
            if theta is not None:
                self._promoted = overclicked_items(
                    count_places(self._database, now_ms() - WINDOW_DAYS * _DAY_MS), theta
                )
            since = now_ms() - SEARCHED_DAYS * _DAY_MS
            self._searched = shared_queries(self._database, since, self._min_clients)
            rates = click_rates(counts)
            self._rates = {item_id: rate for item_id, rate in rates.items() if item_id not in self._promoted}
            self._counts = counts
            return time.perf_counter() - started


def click_rates(counts: Mapping[str, ItemCount]) -> dict[str, float]:
    """By item id the people who chose it for each time it was looked at, drawn towards the rate of all items."""
    people = sum(count.people for count in counts.values())
    usual = people / max(1.0, sum(count.exposure - count.excess for count in counts.values()))
    return {
        item_id: (count.people + _DOUBT * usual) / (max(count.exposure - count.excess, count.people) + _DOUBT)
        for item_id, count in counts.items()
        if count.people
    }
