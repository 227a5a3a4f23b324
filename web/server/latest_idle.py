"""Wakes the thread that became idle last: its memory is still in the processor's caches."""

import threading


class LatestIdle:
    """Takes the place of waitress' condition for its idle threads, which wakes the one that has waited longest.

    All methods are called with `lock` held, as those of threading.Condition.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._idle: list[threading.Lock] = []

    def wait(self) -> None:
        """Waits, without the lock, until this thread is woken."""
        woken = threading.Lock()
        woken.acquire()
        self._idle.append(woken)
        self._lock.release()
        try:
            woken.acquire()
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        """Wakes the thread that has waited shortest."""
        if self._idle:
            self._idle.pop().release()

    def notify_all(self) -> None:
        """Wakes all that wait."""
        while self._idle:
            self.notify()
