"""Whether a background job gets its work done: an alarm where it has failed, or not come to its end, for too long."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from magpie.data.errors import MagpieError


class JobHealth:
    """The attempts of one job, made one after the other by one thread; `alarms` may be read by any.

    A job that has failed in all attempts of the last `patience_s` seconds is an alarm, and so is an attempt that has
    been going on for more than `longest_s`.
    """

    def __init__(
        self, work: str, patience_s: float, longest_s: float = 600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`work` begins the alarm, such as "Logging searches"."""
        self._work, self._patience_s, self._longest_s, self._clock = work, patience_s, longest_s, clock
        self._begun_s: float | None = None
        self._failing: tuple[float, str] | None = None  # since when, and why at last

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One attempt, which fails where the block raises; what it raises goes on."""
        self._begun_s = self._clock()
        try:
            yield
        except Exception as error:
            since_s = self._failing[0] if self._failing else self._begun_s
            self._failing = since_s, str(error) if isinstance(error, MagpieError) else type(error).__name__
            raise
        else:
            self._failing = None
        finally:
            self._begun_s = None

    @property
    def alarms(self) -> Sequence[str]:
        """What is wrong with the job, in a sentence; empty while it gets its work done."""
        now_s, begun_s, failing = self._clock(), self._begun_s, self._failing
        if failing and now_s - failing[0] >= self._patience_s:
            return [f"{self._work} has failed for {now_s - failing[0]:,.0f} s: {failing[1]}"]
        if begun_s is not None and now_s - begun_s > self._longest_s:
            return [f"{self._work} has not come to its end for {now_s - begun_s:,.0f} s"]
        return []
