"""What people did, summed up for the read path: counted once, used by every search, counted again now and then."""

import threading
import time

from data.database import Database
from data.item_counts import ItemCount, count_items, is_cold
from data.ubi import now_ms

WINDOW_DAYS = 30
COLD_BELOW = 20  # impressions
_DAY_MS = 86_400_000


class Behaviour:
    """Sums over the click log of the last 30 days. Safe to share among threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[str, ItemCount] | None = None
        self._counting = threading.Lock()

    @property
    def counts(self) -> dict[str, ItemCount]:
        """By item id; counted at the first use."""
        if self._counts is None:
            self.refresh()
        return self._counts or {}

    def is_cold(self, item_id: str) -> bool:
        """Whether an item was hardly shown yet."""
        return is_cold(self.counts, item_id, COLD_BELOW)

    def refresh(self) -> float:
        """Counts anew; returns the seconds that took."""
        with self._counting:
            started = time.perf_counter()
            self._counts = count_items(self._database, now_ms() - WINDOW_DAYS * _DAY_MS)
            return time.perf_counter() - started
