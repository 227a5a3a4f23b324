"""Starts rebuilds and trainings in low-priority processes, after many, old or erased changes."""

import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from magpie.data.errors import MagpieError
from magpie.data.home.locks import is_held
from magpie.data.settings import Settings
from magpie.indexer.generations.store import describe_current
from magpie.web.shared.memory import SharedTexts

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 15.0
QUIET_S = 600.0  # without a change: whoever imports usually rebuilds next
MOST_PATIENCE_S = 7_200.0  # for a catalogue that is never quiet
FIRST_PAUSE_S, MOST_PAUSE_S = 3_600.0, 86_400.0  # after a failure, doubled with each
_STOP_WITHIN_S = 5.0


@dataclass(frozen=True)
class Backlog:
    """What the index does not show yet, and for how long nothing has changed."""

    changes: int
    generation_age_s: float
    quiet_s: float
    waiting_s: float  # since a rebuild was first due
    is_stale: bool = False  # the index or the ranker still tells of something that was forgotten


def is_wanted(settings: Settings, backlog: Backlog) -> bool:
    """Whether so many changes, or ones beside so old an index, are to be folded in, or something is to be forgotten."""
    many, old = settings.rebuild_after_changes, settings.rebuild_after_hours
    is_large = many > 0 and backlog.changes >= many
    is_old = old > 0 and backlog.changes > 0 and backlog.generation_age_s >= 3600 * old
    return is_large or is_old or (backlog.is_stale and (many > 0 or old > 0))


def is_time(backlog: Backlog) -> bool:
    """Whether a wanted rebuild may begin: nothing changes just now, or it has waited long enough for that."""
    return backlog.quiet_s >= QUIET_S or backlog.waiting_s >= MOST_PATIENCE_S


class AutoRebuild:
    """Watches what `status` (SearchEngine.status) says, and rebuilds; for one thread of one worker.

    `alarms` says in all workers what failed.
    """

    def __init__(self, settings: Settings, status: Callable[[], dict[str, Any]], alarms: SharedTexts) -> None:
        self._settings = settings
        self._status = status
        self._alarms = alarms
        self._running: tuple[subprocess.Popen[bytes], Any] | None = None  # and what it says
        self._seen: tuple[Any, int] = ("", 0)
        now = time.monotonic()
        self._changed_at, self._wanted_since, self._not_before = now, now, now
        self._pause_s = FIRST_PAUSE_S

    @property
    def alarms(self) -> list[str]:
        return self._alarms.read()

    def run(self, stopping: threading.Event) -> None:
        """Looks every few seconds until told to stop."""
        while not stopping.wait(LOOK_INTERVAL_S):
            try:
                self.look()
            except Exception:
                log.exception("looking whether a rebuild is due failed; trying again")

    def look(self) -> None:
        """Begins a rebuild where one is due; takes note of one that has ended."""
        if self.is_running:
            self._check_on_it()
            return
        status, now = self._status(), time.monotonic()
        if not status["ready"]:
            return
        backlog = self._backlog(status, now)
        if not is_wanted(self._settings, backlog):
            self._wanted_since = now
        elif is_time(backlog) and now >= self._not_before:
            is_training = "ranker" in status["stale"]
            work, command = ("ranker", train_command) if is_training else ("rebuild", rebuild_command)
            if not is_held(self._settings.home, work):
                self.begin(command(self._settings))

    def begin(self, command: Sequence[str]) -> None:
        """Starts this command as the rebuild."""
        said = tempfile.TemporaryFile()  # noqa: SIM115  # closed when the process has ended
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        log.info("Rebuilding by itself: changes are many or old (MAGPIE_REBUILD_AFTER_CHANGES, …_HOURS), or forgotten.")
        self._running = (process, said)

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def stop(self) -> None:
        """Ends a rebuild that runs; the index stays as it is, and the next one goes on where it was."""
        if self._running:
            process, said = self._running
            process.terminate()
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            said.close()
            self._running = None

    def _backlog(self, status: dict[str, Any], now: float) -> Backlog:
        changes = int(status["changes_since"]) + int(status["changes_waiting"])
        seen = (status["generation"], changes)
        if seen != self._seen:
            self._seen, self._changed_at = seen, now
        age = datetime.now(UTC) - datetime.fromisoformat(status["created_at"])
        quiet_s, waiting_s = now - self._changed_at, now - self._wanted_since
        return Backlog(changes, age.total_seconds(), quiet_s, waiting_s, bool(status["stale"]))

    def _check_on_it(self) -> None:
        if self._running is None or self._running[0].poll() is None:
            return
        process, said = self._running
        self._running = None
        self._wanted_since = time.monotonic()
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()
        said.close()
        if process.returncode == 0:
            self._alarms.write([])
            self._pause_s = FIRST_PAUSE_S
            return
        reason = words.splitlines()[-1] if words else f"it ended with status {process.returncode}"
        alarm = f"The automatic rebuild failed: {reason}"
        self._alarms.write([alarm])
        log.error("%s; the next try is in %d minutes", alarm, self._pause_s / 60)
        self._not_before = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, MOST_PAUSE_S)


def rebuild_command(settings: Settings) -> list[str]:
    """`magpie index rebuild` with what the current generation was built with: another encoder is the owner's choice."""
    try:
        about = describe_current(settings)
    except MagpieError:
        about = {}
    options = {name: value for name, value in (about.get("options") or {}).items() if isinstance(value, str)}
    given = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [*_magpie(settings), "index", "rebuild", "--json", *given]


def train_command(settings: Settings) -> list[str]:
    """`magpie train ranker`, which deletes rankers that learned from what was forgotten since."""
    return [*_magpie(settings), "train", "ranker", "--json"]


def _magpie(settings: Settings) -> list[str]:
    # the lowest priority: searches go first; Linux takes the disk's priority from it, too (ioprio_set(2))
    return ["nice", "-n", "19", sys.executable, "-P", "-m", "magpie", "--home", str(settings.home)]
