"""Keeps the feeds that an owner named in the home, with how often they are imported, and a record of their runs."""

import fcntl
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from magpie.data.errors import BadSetting, NotFound
from magpie.data.home.atomic_files import write_whole
from magpie.data.settings import Settings

RUNS_KEPT = 500
LEAST_EVERY_S = 60
_NAME = re.compile(r"[\w.-]{1,60}")


@dataclass(frozen=True)
class NamedFeed:
    """A feed of the home: its source, the seconds from one import to the next, and options of `catalog import`."""

    name: str
    source: str
    every_s: int
    options: list[str] = field(default_factory=list)
    added_at: float = 0.0


@dataclass(frozen=True)
class FeedRun:
    """One import of a named feed: when it began, how long it took, its counts, or why it failed."""

    name: str
    began_at: float
    seconds: float
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    removed: int = 0
    fault: str = ""


def named_feeds(settings: Settings) -> list[NamedFeed]:
    """The feeds of the home, by name. Raises BadSetting where their file is damaged."""
    path = settings.feeds_file
    try:
        return [NamedFeed(**each) for each in json.loads(path.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise BadSetting(f"{path}: cannot be read ({error}); delete it, and add the feeds anew") from error


def add_feed(settings: Settings, feed: NamedFeed) -> None:
    """Adds a feed, or replaces the one of its name. Raises BadSetting for a name or an interval that cannot be."""
    if not _NAME.fullmatch(feed.name):
        raise BadSetting(f"{feed.name!r}: name the feed with letters, digits, points and hyphens")
    if feed.every_s < LEAST_EVERY_S:
        raise BadSetting(f"a feed is imported every {LEAST_EVERY_S} seconds at most")
    _write(settings, [*(each for each in named_feeds(settings) if each.name != feed.name), feed])


def remove_feed(settings: Settings, name: str) -> None:
    """Forgets a feed; its items stay. Raises NotFound."""
    find_feed(settings, name)
    _write(settings, [each for each in named_feeds(settings) if each.name != name])


def find_feed(settings: Settings, name: str) -> NamedFeed:
    """The feed of this name. Raises NotFound."""
    found = next((each for each in named_feeds(settings) if each.name == name), None)
    if found is None:
        raise NotFound(f"no feed is named {name!r}; magpie feed list shows them")
    return found


def record_run(settings: Settings, run: FeedRun) -> None:
    """Keeps the record of a run, and those of the last runs before it."""
    path = settings.feed_runs_file
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / ".feed-runs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = [json.dumps(asdict(each)) for each in [*feed_runs(settings), run][-RUNS_KEPT:]]
        write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def feed_runs(settings: Settings) -> list[FeedRun]:
    """The runs of all feeds, the oldest first; a damaged line is passed over."""
    try:
        lines = settings.feed_runs_file.read_text("utf-8").splitlines()
    except OSError:
        return []
    runs = []
    for line in lines:
        try:
            runs.append(FeedRun(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return runs


def due_feeds(settings: Settings, now: float) -> list[NamedFeed]:
    """The feeds whose last run, or else their adding, began as long ago as their interval; new ones are due at once."""
    last: dict[str, float] = {}
    for run in feed_runs(settings):
        last[run.name] = run.began_at
    return [feed for feed in named_feeds(settings) if now - max(last.get(feed.name, 0.0), 0.0) >= feed.every_s]


def _write(settings: Settings, feeds: list[NamedFeed]) -> None:
    rows: list[dict[str, Any]] = [asdict(feed) for feed in sorted(feeds, key=lambda feed: feed.name)]
    write_whole(settings.feeds_file, (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode())
