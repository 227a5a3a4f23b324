"""Imports the feeds that the owner named, each at its interval, in a process of low priority; for one worker."""

import logging
import subprocess
import sys
import threading
import time

from magpie.data.errors import MagpieError
from magpie.data.feeds.named_feeds import due_feeds, feed_runs, named_feeds
from magpie.data.home.locks import is_held
from magpie.data.settings import Settings

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 5.0
_STOP_WITHIN_S = 5.0


class FeedSchedule:
    """Starts `magpie feed run NAME` for each feed that is due, one after another."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: tuple[str, subprocess.Popen[bytes]] | None = None
        self._tried: dict[str, float] = {}  # by feed when it was started, should its run leave no record

    @property
    def alarms(self) -> list[str]:
        """The feeds whose last run failed."""
        try:
            names = {feed.name for feed in named_feeds(self._settings)}
        except MagpieError as error:
            return [str(error)]
        last = {run.name: run for run in feed_runs(self._settings) if run.name in names}
        return [f"The import of the feed {run.name} failed: {run.fault}" for run in last.values() if run.fault]

    def run(self, stopping: threading.Event) -> None:
        """Looks every few seconds until told to stop."""
        while not stopping.wait(LOOK_INTERVAL_S):
            try:
                self.look()
            except Exception:
                log.exception("looking whether a feed is due failed; trying again")
        self.stop()

    def look(self) -> None:
        """Starts the import of a feed that is due, unless one runs."""
        if self._running is not None:
            name, process = self._running
            if process.poll() is None:
                return
            log.log(
                logging.INFO if process.returncode == 0 else logging.ERROR,
                "feed %s: status %s",
                name,
                process.returncode,
            )
            self._running = None
        now = time.time()
        for feed in due_feeds(self._settings, now):
            if now - self._tried.get(feed.name, 0.0) >= feed.every_s and not is_held(
                self._settings.home, f"feed-{feed.name}"
            ):
                self._tried[feed.name] = now
                command = [
                    sys.executable,
                    "-P",
                    "-m",
                    "magpie",
                    "--home",
                    str(self._settings.home),
                    "feed",
                    "run",
                    feed.name,
                ]
                nothing = subprocess.DEVNULL
                process = subprocess.Popen(
                    ["nice", "-n", "19", *command], stdin=nothing, stdout=nothing, stderr=nothing
                )
                self._running = (feed.name, process)
                return

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        magpie = [sys.executable, "-P", "-m", "magpie", "--home", str(self._settings.home)]
        nothing = subprocess.DEVNULL
        command = ["nice", "-n", "19", *magpie, "feed", "run", name]
        return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)

    def stop(self) -> None:
        """Ends an import that runs; what it has written stays, and the next one goes on."""
        if self._running is not None:
            process = self._running[1]
            process.terminate()
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._running = None
