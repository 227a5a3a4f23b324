"""One process that serves, or several that share a listening socket: forked, watched, replaced, and ended together."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from magpie.data.errors import MagpieError
from magpie.web.shared.state import SharedState

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 0.1
STOP_WITHIN_S = 15.0  # then what is left is killed
FIRST_PAUSE_S, MOST_PAUSE_S = 1.0, 30.0  # before a worker that ended soon is started again, doubled each time
SOON_S = 60.0
SILENT_LOOKS = 600  # a minute in which the worker's loop has not turned; clocks jump where a machine was suspended


@dataclass
class _Worker:
    pid: int
    started_at: float
    pause_s: float
    counted_at: float = 0.0  # when its loop turned last
    silent_looks: int = 0  # how often that was the same as before


class Supervisor:
    """Keeps as many processes as there are workers, each of which calls `run` with its number."""

    def __init__(self, shared: SharedState, run: Callable[[int], None]) -> None:
        self._shared = shared
        self._run = run
        self._running: dict[int, _Worker] = {}
        self._not_before: dict[int, tuple[float, float]] = {}  # number → when to start again, and the pause after that
        self._stop_by: float | None = None
        self._lifeline = os.pipe()  # the writing end is this process's alone, and ends with it

    def supervise(self) -> None:
        """Returns when all have ended after SIGTERM or SIGINT. Raises MagpieError where none could begin to serve."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self.stop())
        for number in range(self._shared.workers):
            self._start(number, FIRST_PAUSE_S)
        while self._running or self._stop_by is None:
            self._reap()
            self._kill_silent()
            self._start_again()
            if self._stop_by is not None:  # also for one that was just being started
                self._signal(signal.SIGTERM if time.monotonic() < self._stop_by else signal.SIGKILL)
            time.sleep(LOOK_INTERVAL_S)

    def stop(self) -> None:
        """Has all finish what they are doing, and end."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_WITHIN_S

    def _start(self, number: int, pause_s: float) -> None:
        self._shared.connections.forget(number)
        pid = os.fork()
        if pid == 0:
            self._be_worker(number)
        self._running[number] = _Worker(pid, time.monotonic(), pause_s)

    def _be_worker(self, number: int) -> None:
        """The forked process; never returns."""
        status = 1
        try:
            os.close(self._lifeline[1])
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            threading.Thread(target=self._end_with_supervisor, daemon=True).start()
            self._run(number)
            status = 0
        except MagpieError as error:
            log.error("%s", error)
        except BaseException:
            log.exception("worker %d failed", number)
        finally:
            logging.shutdown()
            os._exit(status)

    def _end_with_supervisor(self) -> None:
        os.read(self._lifeline[0], 1)  # returns when nobody can write any more
        self._shared.close()
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> None:
        for number, worker in list(self._running.items()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            del self._running[number]
            if self._stop_by is None:
                self._note_end(number, worker, os.waitstatus_to_exitcode(status))

    def _kill_silent(self) -> None:
        """Ends workers whose loop stands still; what has ended is replaced."""
        for number, worker in self._running.items():
            counted_at = self._shared.connections.counted_at(number)
            is_silent = counted_at == worker.counted_at > 0
            worker.counted_at, worker.silent_looks = counted_at, worker.silent_looks + 1 if is_silent else 0
            if worker.silent_looks == SILENT_LOOKS:
                log.error("worker %d has not turned to its connections for a minute and is killed", number)
                os.kill(worker.pid, signal.SIGKILL)

    def _note_end(self, number: int, worker: _Worker, status: int) -> None:
        if not any(map(self._shared.connections.counted_at, range(self._shared.workers))):
            self._stop_by = time.monotonic()
            self._signal(signal.SIGKILL)
            raise MagpieError("No worker could begin to serve; the log says why")
        now = time.monotonic()
        has_lasted = now - worker.started_at > SOON_S
        pause_s = FIRST_PAUSE_S if has_lasted else worker.pause_s
        log.error("worker %d ended with status %d; another one takes its place", number, status)
        self._not_before[number] = (now if has_lasted else now + pause_s, min(2 * pause_s, MOST_PAUSE_S))
        self._shared.connections.forget(number)

    def _start_again(self) -> None:
        for number, (when, pause_s) in list(self._not_before.items()):
            if self._stop_by is None and time.monotonic() >= when:
                del self._not_before[number]
                self._start(number, pause_s)

    def _signal(self, what: signal.Signals) -> None:
        for worker in self._running.values():
            os.kill(worker.pid, what)
