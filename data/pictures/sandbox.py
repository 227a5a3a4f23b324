"""Decodes pictures in a process of its own, where a decoder may crash or hang.

Decoders are C libraries that get files from strangers. One that crashes ends its process, one that hangs blocks its
thread for good; neither may be the process that answers searches.
"""

import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from magpie.data.errors import BadPicture, DecoderBusy

T = TypeVar("T")


@dataclass(frozen=True)
class DecodeLimits:
    """The limits of decoding one file: processor time and elapsed time in seconds, and memory of the process in bytes.

    Elapsed time is longer, because the process may run at low priority.
    """

    cpu_s: float = 60.0
    clock_s: float = 600.0
    memory_bytes: int = 6_000_000_000


WHILE_SERVING = DecodeLimits(cpu_s=10.0, clock_s=30.0, memory_bytes=2_000_000_000)
WHILE_ASKED = DecodeLimits(cpu_s=5.0, clock_s=10.0, memory_bytes=2_000_000_000)  # somebody waits for the answer
PATIENCE_S = 2.0


class PictureSandbox:
    """A decoding process, started on first use and again after a crash. Threads use it in turn.

    A thread waits at most `patience_s` seconds for its turn, without limit where that is None.
    """

    def __init__(self, limits: DecodeLimits | None = None, patience_s: float | None = None) -> None:
        self._limits = limits or WHILE_SERVING
        self._patience_s = -1.0 if patience_s is None else patience_s
        self._turn = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def run(self, name: str, work: Callable[..., T], *given: Any) -> T:
        """The result of `work(*given)`, run in the process; arguments and result are pickled.

        Raises what `work` raises, BadPicture, by this name, where it crashes or takes too long, and DecoderBusy where
        the process stays busy with others for longer than `patience_s`.
        """
        if not self._turn.acquire(timeout=self._patience_s):
            raise DecoderBusy(f"{name}: others' pictures take too long to decode; send it again in a moment.")
        try:
            self._pool = self._pool or start_workers(1, self._limits)
            try:
                return self._pool.submit(_timed, self._limits, work, given).result()
            except BrokenProcessPool as error:
                self._pool = None
                raise BadPicture(f"{name}: {LOST}") from error
        finally:
            self._turn.release()

    def start(self) -> None:
        """Starts the process without waiting for it, so that the first picture does not wait for it either."""
        with self._turn:
            self._pool = self._pool or start_workers(1, self._limits)
            self._pool.submit(os.getpid)

    def close(self) -> None:
        """Ends the process."""
        with self._turn:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None


@dataclass(frozen=True)
class Decoders:
    """Two decoding processes, for pictures of the catalogue and for uploads, so that neither waits for the other."""

    catalogue: PictureSandbox
    uploads: PictureSandbox

    @classmethod
    def opened(cls) -> "Decoders":
        return cls(PictureSandbox(), PictureSandbox(WHILE_ASKED, PATIENCE_S))

    def close(self) -> None:
        """Ends both processes."""
        self.catalogue.close()
        self.uploads.close()


LOST = "its decoder crashed, or was ended because it took too long"


def start_workers(count: int, limits: DecodeLimits) -> ProcessPoolExecutor:
    """A pool of `count` processes with limited memory, which end when this process ends."""
    return ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_prepare, initargs=(limits.memory_bytes,)
    )


def start_timers(cpu_s: float, clock_s: float) -> None:
    """Starts timers whose signals end the process, because a stuck decoder never returns to Python; 0 stops them."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, clock_s)


def _timed(limits: DecodeLimits, work: Callable[..., T], given: tuple[Any, ...]) -> T:
    start_timers(limits.cpu_s, limits.clock_s)
    try:
        return work(*given)
    finally:
        start_timers(0.0, 0.0)


def _prepare(memory_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started us, which then ends us
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when its parent ends; the pool itself would wait for work forever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
