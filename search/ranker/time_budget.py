"""The time that re-ranking may take in a search, and the pause after a ranker exceeded it several times in a row."""

import threading
import time
from dataclasses import dataclass

_SLOW_IN_A_ROW = 3
REST_S = 10.0


class TooSlowError(Exception):
    """Re-ranking has taken longer than a search may wait."""


@dataclass(frozen=True)
class Stopwatch:
    """Measures the re-ranking of one search; a limit of 0 means no limit."""

    limit_s: float
    started: float

    def check(self, step: str) -> None:
        """Raises TooSlowError where the limit is exceeded after this step."""
        spent = time.perf_counter() - self.started
        if 0 < self.limit_s < spent:
            raise TooSlowError(f"{step} ended after {1_000 * spent:.0f} ms of {1_000 * self.limit_s:.0f}")


class TimeBudget:
    """The time budget of one ranker, in milliseconds a search. Safe to share among threads.

    A running step cannot be interrupted; so a ranker that exceeds the budget three times in a row pauses for REST_S
    seconds, and the first-stage order is served."""

    def __init__(self, limit_ms: float) -> None:
        self._limit_s = limit_ms / 1_000
        self._counting = threading.Lock()
        self._slow = 0
        self._resting_until = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the ranker pauses."""
        return time.monotonic() < self._resting_until

    def start(self) -> Stopwatch:
        """A stopwatch that runs from now on."""
        return Stopwatch(self._limit_s, time.perf_counter())

    def count(self, was_slow: bool) -> None:
        """Counts slow searches in a row; a quick one starts the count anew."""
        with self._counting:
            self._slow = self._slow + 1 if was_slow else 0
            if self._slow >= _SLOW_IN_A_ROW:
                self._slow, self._resting_until = 0, time.monotonic() + REST_S
