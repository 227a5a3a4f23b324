"""How long re-ranking may keep a search waiting, and how long a ranker rests that was too slow again and again."""

import threading
import time
from dataclasses import dataclass

_SLOW_IN_A_ROW = 3
REST_S = 10.0


class TooSlowError(Exception):
    """Re-ranking has taken longer than a search may wait."""


@dataclass(frozen=True)
class Stopwatch:
    """The time of one search's re-ranking; a limit of 0 is none."""

    limit_s: float
    started: float

    def check(self, step: str) -> None:
        """Raises TooSlowError where the time is over after this step."""
        spent = time.perf_counter() - self.started
        if 0 < self.limit_s < spent:
            raise TooSlowError(f"{step} ended after {1_000 * spent:.0f} ms of {1_000 * self.limit_s:.0f}")


class TimeBudget:
    """With one ranker: a step cannot be interrupted, so one that is slow three times in a row is not tried again for
    ten seconds. Safe to share among threads."""

    def __init__(self, limit_ms: float) -> None:
        self._limit_s = limit_ms / 1_000
        self._counting = threading.Lock()
        self._slow = 0
        self._resting_until = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the ranker rests."""
        return time.monotonic() < self._resting_until

    def start(self) -> Stopwatch:
        """The time runs from now on."""
        return Stopwatch(self._limit_s, time.perf_counter())

    def count(self, was_slow: bool) -> None:
        """Takes note of how a search went."""
        with self._counting:
            self._slow = self._slow + 1 if was_slow else 0
            if self._slow >= _SLOW_IN_A_ROW:
                self._slow, self._resting_until = 0, time.monotonic() + REST_S
