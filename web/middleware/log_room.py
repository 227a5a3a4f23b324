"""Bounds what is logged: of one address a day, of all a day, and the size of the database that holds the log."""

import math
import threading
import time
from contextlib import suppress

from werkzeug.exceptions import TooManyRequests

from magpie.data.database.connection import Database
from magpie.data.database.size import size_bytes
from magpie.data.errors import LogFull, MagpieError
from magpie.data.settings import Settings
from magpie.web.middleware.rate_limits import neighbourhood
from magpie.web.shared.rate_counters import SharedCounters

DAY_S = 86_400
_LOOK_INTERVAL_S = 5.0
_MB = 1_000_000
_ALL = "log of all"


class LogRoom:
    """Counts what is logged, over all workers of the server. Safe to share among threads.

    The counts of a day begin with its first record and with the server's start; the database's size is looked at every
    few seconds, so that it may go somewhat beyond its limit.
    """

    def __init__(self, settings: Settings, database: Database, counters: SharedCounters) -> None:
        self._settings, self._database, self._counters = settings, database, counters
        self._looking = threading.Lock()
        self._looked_at, self._size_bytes = -math.inf, 0

    @property
    def database_bytes(self) -> int:
        """The size of the database, as it was a few seconds ago at most."""
        with self._looking:
            if time.monotonic() - self._looked_at > _LOOK_INTERVAL_S:
                with suppress(MagpieError):  # whoever writes next is told why it cannot be read
                    self._size_bytes = size_bytes(self._database)
                self._looked_at = time.monotonic()
            return self._size_bytes

    @property
    def alarms(self) -> list[str]:
        """What keeps searches and events from being logged, in a sentence; empty while there is room."""
        alarms = [self._too_large] if self._is_full else []
        limit_mb = self._settings.log_per_day_mb
        if limit_mb and self._counters.get(_ALL) > limit_mb * _MB:
            alarms.append(
                f"More than {limit_mb:,} MB came to be logged within a day: until it is over, searches are answered "
                "and not logged, and events are refused; MAGPIE_LOG_PER_DAY_MB sets the limit"
            )
        return alarms

    def has_room(self, address: str, num_bytes: int, is_trusted: bool) -> bool:
        """Whether so many bytes more may be logged, which then count; those that a token vouches for as long as the
        database has room."""
        return not self._is_full and (is_trusted or self._wait_s(address, num_bytes) == 0)

    def demand(self, address: str, num_bytes: int, is_trusted: bool) -> None:
        """Counts so many bytes as `has_room` does. Raises LogFull, and TooManyRequests once the day's are used up."""
        if self._is_full:
            raise LogFull(self._too_large)
        if not is_trusted and (wait_s := self._wait_s(address, num_bytes)):
            raise TooManyRequests(
                "More came to be logged within a day than one address, or all together, may send without a token: "
                "MAGPIE_LOG_PER_ADDRESS_MB and MAGPIE_LOG_PER_DAY_MB set the limits.",
                retry_after=wait_s,
            )

    def _wait_s(self, address: str, num_bytes: int) -> int:
        """Seconds until the day is over for which all bytes are used up, 0 where there is room."""
        of_address = (f"log of {neighbourhood(address)}", self._settings.log_per_address_mb)
        for key, limit_mb in (of_address, (_ALL, self._settings.log_per_day_mb)):
            if limit_mb and self._counters.incr(key, DAY_S, num_bytes) > limit_mb * _MB:
                return max(1, math.ceil(self._counters.get_expiry(key) - time.monotonic()))
        return 0

    @property
    def _is_full(self) -> bool:
        return 0 < self._settings.log_limit_mb * _MB <= self.database_bytes

    @property
    def _too_large(self) -> str:
        return (
            f"The database has {self.database_bytes / _MB:,.0f} MB, the limit is {self._settings.log_limit_mb:,}: "
            "searches are answered and not logged, and events are refused; delete old ones with `magpie events purge`, "
            "or raise MAGPIE_LOG_LIMIT_MB"
        )
