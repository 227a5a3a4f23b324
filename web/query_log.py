"""Searches are logged beside the answer, not before it: records wait here and are written in batches by one thread."""

import logging
import queue
import threading
import time

from data.click_log import ClickLog
from data.ubi import QueryRecord

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.2
MAX_WAITING = 20_000
MAX_BATCH = 500


class QueryLogWriter:
    """Takes records from request threads without ever making them wait; `close` writes what is left."""

    def __init__(self, click_log: ClickLog) -> None:
        self._click_log = click_log
        self._waiting: queue.Queue[QueryRecord] = queue.Queue(MAX_WAITING)
        self._stopping = threading.Event()
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
        """Waits until all that was added is written, at most so long."""
        deadline = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(FLUSH_INTERVAL_S / 10)

    def close(self) -> None:
        """Writes what waits and ends the thread."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        unwritten: list[QueryRecord] = []
        while not (self._stopping.is_set() and self._waiting.empty() and not unwritten):
            self._stopping.wait(FLUSH_INTERVAL_S)
            unwritten += self._take(MAX_BATCH - len(unwritten))
            if not unwritten:
                continue
            try:
                self._click_log.record_queries(unwritten)
                for _ in unwritten:
                    self._waiting.task_done()
                unwritten = []
            except Exception:
                # the database may be locked by a long import: keep the batch, but do not hold up the end for it
                log.exception(
                    "logging %d searches failed%s", len(unwritten), "" if self._stopping.is_set() else "; retrying"
                )
                if self._stopping.is_set():
                    return

    def _take(self, limit: int) -> list[QueryRecord]:
        taken: list[QueryRecord] = []
        while len(taken) < limit:
            try:
                taken.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return taken
