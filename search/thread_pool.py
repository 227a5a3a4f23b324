"""Work → threads, of which the one that was busy last goes first: what it works with is still in the processor's cache.

The standard library's pool gives work to the thread that has waited longest, and its queue wakes another one for
nothing whenever one has taken something: that one then stops those that work, for the interpreter's lock.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, NamedTuple


class _Work(NamedTuple):
    future: "Future[Any]"
    run: Callable[[], Any]


class ThreadPool(Executor):
    """An executor of at most `most` threads, started as they are needed; they do not keep a process from ending."""

    def __init__(self, name: str, most: int | None = None) -> None:
        """`most` is by default as many as `concurrent.futures` takes."""
        self._name, self._most = name, most or min(32, (os.cpu_count() or 1) + 4)
        self._changing = threading.Lock()
        self._idle: list[_Thread] = []
        self._waiting: deque[_Work] = deque()
        self._threads: list[_Thread] = []
        self._is_closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Has the call made as soon as a thread is free. Raises RuntimeError after `shutdown`."""
        work = _Work(Future(), partial(fn, *args, **kwargs))
        with self._changing:
            if self._is_closed:
                raise RuntimeError(f"the threads {self._name} take no more work")
            if self._idle:
                self._idle.pop().wake(work)
            elif len(self._threads) < self._most:
                self._threads.append(_Thread(f"{self._name}-{len(self._threads)}", work, self._next_for))
            else:
                self._waiting.append(work)
        return work.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads when what was submitted is done, or with `cancel_futures` what has begun."""
        with self._changing:
            self._is_closed = True
            while self._idle:
                self._idle.pop().wake(None)
            cancelled = list(self._waiting) if cancel_futures else []
            for work in cancelled:
                self._waiting.remove(work)
        for work in cancelled:
            work.future.cancel()
        if wait:
            for thread in self._threads:
                thread.join()

    def _next_for(self, thread: "_Thread") -> _Work | None:
        """What waits to be done. None where nothing does: the thread will be woken."""
        with self._changing:
            if self._waiting:
                return self._waiting.popleft()
            if self._is_closed:
                thread.wake(None)
            else:
                self._idle.append(thread)
        return None


class _Thread(threading.Thread):
    def __init__(self, name: str, first: _Work, next_for: Callable[["_Thread"], _Work | None]) -> None:
        super().__init__(name=name, daemon=True)
        self._given: _Work | None = first
        self._next_for = next_for
        self._is_woken = threading.Lock()
        self._is_woken.acquire()
        self.start()

    def wake(self, work: _Work | None) -> None:
        """Gives the thread work, or None to end it; it takes it up as soon as it sleeps."""
        self._given = work
        self._is_woken.release()

    def run(self) -> None:
        work = self._take()
        while work is not None:
            is_wanted = work.future.set_running_or_notify_cancel()
            result, error = _outcome(work) if is_wanted else (None, None)
            # first free, then done: whoever waits for the result may have more work, and this thread is warm
            following = self._next_for(self)
            if error is not None:
                work.future.set_exception(error)
            elif is_wanted:
                work.future.set_result(result)
            del work, result, error  # a sleeping thread keeps nothing alive
            work = following or self._sleep()

    def _sleep(self) -> _Work | None:
        self._is_woken.acquire()
        return self._take()

    def _take(self) -> _Work | None:
        work, self._given = self._given, None
        return work


def _outcome(work: _Work) -> tuple[Any, BaseException | None]:
    try:
        return work.run(), None
    except BaseException as error:  # whoever waits for the result gets it
        return None, error
