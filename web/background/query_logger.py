"""Searches are logged beside the answer, not before it: records wait here and are written in batches by one thread."""

import logging
import queue
import threading
import time

from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import QueryRecord
from magpie.web.background.job_health import JobHealth

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.2
MAX_WAITING = 20_000
LONGEST_PAUSE_S = 5.0
MAX_BATCH = 500
ALARM_AFTER_S = 15.0  # of failures: three of the longest pauses
LONGEST_WRITE_S = 60.0


class QueryLogWriter:
    """Takes records from request threads without ever making them wait; `close` writes what is left."""

    def __init__(self, event_log: EventLog, has_others: bool = False) -> None:
        """`has_others`: other processes log searches too."""
        self._event_log = event_log
        self._has_others = has_others
        self._waiting: queue.Queue[QueryRecord] = queue.Queue(MAX_WAITING)
        self._stopping = threading.Event()
        self._health = JobHealth("Logging searches", ALARM_AFTER_S, LONGEST_WRITE_S)
        self._thread = threading.Thread(target=self._run, name="magpie-query-log", daemon=True)
        self._thread.start()
        self.num_dropped = 0

    def add(self, record: QueryRecord) -> None:
        """Queues one record; when the disk cannot keep up it is dropped and counted, since searching goes first."""
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            self.num_dropped += 1

    def settle(self, timeout_s: float = 5.0) -> None:
        """Waits until all that was added is written, here and by others, at most so long."""
        deadline = time.monotonic() + timeout_s
        if self._has_others:
            time.sleep(2 * FLUSH_INTERVAL_S)
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(FLUSH_INTERVAL_S / 10)

    @property
    def alarms(self) -> list[str]:
        """Why searches have not been logged for some time, and how many of them wait or are lost."""
        left = f"({self._waiting.unfinished_tasks:,} wait, {self.num_dropped:,} are lost)"
        return [f"{alarm} {left}" for alarm in self._health.alarms]

    def close(self) -> None:
        """Writes what waits and ends the thread."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        unwritten: list[QueryRecord] = []
        pause_s = FLUSH_INTERVAL_S
        while not (self._stopping.is_set() and self._waiting.empty() and not unwritten):
            self._stopping.wait(pause_s)
            unwritten += self._take(MAX_BATCH - len(unwritten))
            if not unwritten:
                continue
            if self._is_written(unwritten, is_first=pause_s == FLUSH_INTERVAL_S):
                unwritten, pause_s = [], FLUSH_INTERVAL_S
            elif self._stopping.is_set():
                return
            else:  # the database may be locked by a long import, or the disk full: the batch is kept meanwhile
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _is_written(self, records: list[QueryRecord], is_first: bool) -> bool:
        """Whether the batch is on disk; only the first failure of several is news."""
        try:
            with self._health.attempt():
                self._event_log.record_queries(records)
        except Exception as error:
            if is_first or self._stopping.is_set():
                left = len(records) + self._waiting.qsize()
                fate = "lost" if self._stopping.is_set() else "kept and tried again"
                log.error("%d searches could not be logged, and are %s: %s", left, fate, error)
            return False
        for _ in records:
            self._waiting.task_done()
        return True

    def _take(self, limit: int) -> list[QueryRecord]:
        taken: list[QueryRecord] = []
        while len(taken) < limit:
            try:
                taken.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return taken
