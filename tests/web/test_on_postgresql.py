"""A home on PostgreSQL does what one on SQLite does, command by command; two servers share one database."""

import json
import os
import shutil
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import open_database
from magpie.data.database.copy_database import copy_database
from magpie.data.database.tables import events, items, queries
from magpie.data.settings import Settings
from magpie.web.cli import main as cli
from tests.support.postgresql import Cluster
from tests.support.serving import Server, serving

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC).replace(microsecond=0)
SEEN_WITHIN_S = 30  # on a busy machine; docs/scale.md has what it takes on a quiet one
PASSING = (  # parts of names
    *("seconds", "took", "generation", "created", "published", "version", "timestamp", "file", "query_id", "updated"),
    "token",
)


def moved(settings: Settings, cluster_url: str) -> Settings:
    """The same home with its content in this empty PostgreSQL."""
    copy_database(settings, cluster_url, lambda *_: None)
    (settings.home / "magpie.db").unlink()  # what still asks for it fails
    return settings.model_copy(update={"database_url": cluster_url})


# one home on each kind of database, the same commands in both


def write_log(path: Path) -> Path:
    """Searches and clicks of twelve people over six days, as UBI lines; and one line that is none."""
    lines: list[dict[str, Any]] = []
    for day in range(6):
        for person in range(12):
            query_id, at = f"q{day}-{person}", NOW - timedelta(days=day, minutes=person)
            hits = ["ball-red", "ball-blue", "box-red"][:: 1 if person % 2 else -1]
            who = {"client_id": f"client-{person}", "session_id": f"session-{day}-{person}"}
            asked = {"user_query": "red ball", "query_response_hit_ids": hits}
            lines.append({"query_id": query_id, "timestamp": at.isoformat(), **who, **asked})
            chosen = "ball-red" if person % 4 else "ball-blue"
            place = {"object": {"object_id": chosen}, "position": {"ordinal": hits.index(chosen) + 1}}
            done = {"action_name": "purchase" if person == 5 else "click", "event_attributes": place}
            lines.append({"query_id": query_id, "timestamp": at.isoformat(), **who, **done})
    path.write_text("\n".join([*map(json.dumps, lines), "no JSON"]), "utf-8")
    return path


def write_feed(path: Path) -> Path:
    path.write_text("id,title,price,colour\nlamp,Ünï ☃ lamp,12.5,Green\nball-red,Red ball anew,1,Red\n", "utf-8")
    return path


def journey(settings: Settings, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What each command of a home's life says, without what is different each time."""
    commands: list[tuple[str, ...]] = [
        ("catalog", "import", str(write_feed(folder / "feed.csv"))),
        ("index", "rebuild"),
        ("catalog", "stats"),
        ("search", "green lamp"),
        ("search", "red ball", "--filter", "colour=Red", "--sort", "-price"),
        ("events", "import", str(write_log(folder / "log.ndjson"))),
        ("events", "import", str(folder / "log.ndjson")),
        ("recommend", "--item", "ball-red"),
        ("recommend", "--client", "client-1"),
        ("report", "clicks"),
        ("report", "exposure", "--by", "colour"),
        ("train", "ranker"),
        ("events", "purge", "--older-than", "3d"),
        ("events", "forget", "--client-id", "client-3"),
        ("report", "clicks"),
        ("token", "create", "shop", "--scope", "write"),
        ("token", "list"),
    ]
    told: dict[str, Any] = {}
    for number, words in enumerate(commands):
        capsys.readouterr()
        status = cli.run(["--home", str(settings.home), *words, "--json"])
        out, err = capsys.readouterr()
        told[f"{number} {' '.join(words[:2])}"] = (status, lasting(json.loads(out)) if out else err)
    with closing(open_database(settings)) as database, database.reading() as connection:
        told["log"] = [
            sorted(tuple(row)[1:] for row in connection.execute(select(*columns)))
            for columns in ((queries.c.id, queries.c.query_id), (events.c.id, events.c.event_id, events.c.object_id))
        ]
    return told


def lasting(value: Any) -> Any:
    """Without what differs from run to run: times, durations, names made at random, paths."""
    if isinstance(value, dict):
        return {k: lasting(v) for k, v in value.items() if not any(word in k for word in PASSING)}
    if isinstance(value, list):
        return [lasting(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def test_every_command_says_the_same_on_both(
    own_shop: Settings,
    tmp_path: Path,
    empty_postgresql_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.nice", lambda steps: 0)
    shutil.copytree(own_shop.home, tmp_path / "other-home")
    on_sqlite = journey(own_shop, tmp_path, capsys)
    other = moved(own_shop.model_copy(update={"home": tmp_path / "other-home"}), empty_postgresql_url)
    monkeypatch.setenv("MAGPIE_DATABASE_URL", empty_postgresql_url)
    on_postgresql = journey(other, tmp_path, capsys)
    assert on_postgresql.keys() == on_sqlite.keys()
    for name, said in on_sqlite.items():
        assert on_postgresql[name] == said, name
    assert not (other.home / "magpie.db").exists()
    assert {name: said for name, said in on_sqlite.items() if name != "log" and said[0] != 0} == {}
    assert on_sqlite["5 events import"][1]["queries"] == 72 == on_sqlite["6 events import"][1]["duplicates"] / 2


# two servers


@dataclass
class Caller:
    """Talks to one of the servers with a token that the database knows."""

    server: Server
    token: str
    acknowledged: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            self.server.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def found(self, words: str, field_name: str = "item_id") -> list[str]:
        return [hit[field_name] for hit in self.ask("GET", f"/api/search?q={urllib.parse.quote(words)}")["hits"]]


@pytest.fixture
def shared(own_shop: Settings, empty_postgresql_url: str) -> Settings:
    """A shop in PostgreSQL, and its home."""
    return moved(own_shop, empty_postgresql_url)


@contextmanager
def two_servers(shared: Settings, tmp_path: Path) -> Iterator[tuple[Caller, Caller]]:
    """Two server processes on the same database, each with a home of its own."""
    with closing(open_database(shared)) as database:
        token = create_token(database, "shop", ["admin"])
    homes = [tmp_path / name / "home" for name in ("one", "other")]
    for home in homes:
        shutil.copytree(shared.home, home)
    url = {"MAGPIE_DATABASE_URL": shared.database}
    with serving(homes[0], **url) as one, serving(homes[1], **url) as other:
        callers = Caller(one, token), Caller(other, token)
        for caller in callers:
            wait_for(lambda caller=caller: caller.found("red ball"))
        yield callers


def wait_for(is_so: Any) -> None:
    deadline = time.monotonic() + SEEN_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except urllib.error.URLError:  # not ready yet
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {SEEN_WITHIN_S} s")


def test_a_change_through_one_is_searchable_on_the_other(shared: Settings, tmp_path: Path) -> None:
    with two_servers(shared, tmp_path) as (one, other):
        one.ask("PUT", "/api/items/zeppelin", {"title": "A zeppelin of silk"})
        wait_for(lambda: "zeppelin" in other.found("zeppelin of silk"))
        other.ask("PUT", "/api/items/zeppelin", {"title": "A submarine of brass"})
        wait_for(lambda: "A submarine of brass" in one.found("submarine of brass", "title"))
        other.ask("DELETE", "/api/items/zeppelin")
        wait_for(lambda: "zeppelin" not in one.found("submarine of brass"))


def test_nothing_is_lost_and_nothing_doubled_though_one_is_killed(shared: Settings, tmp_path: Path) -> None:
    """Every event goes to both servers, and items to either, from four threads; one server is killed halfway."""
    per_thread = 60
    with two_servers(shared, tmp_path) as (one, other):
        done = threading.Semaphore(0)

        def send(caller: Caller, thread: int) -> None:
            for n in range(per_thread):
                event = {"action_name": "click", "event_id": f"{thread % 2}-{n}", "object_id": "ball-red"}
                try:
                    caller.ask("POST", "/api/events", event)
                    caller.acknowledged.append(f"event {event['event_id']}")
                    caller.ask("PUT", f"/api/items/new-{thread}-{n}", {"title": f"Novelty {thread} {n}"})
                    caller.acknowledged.append(f"item new-{thread}-{n}")
                except (OSError, ValueError):  # killed: who sends does not know, and sends elsewhere
                    continue
                finally:
                    done.release()

        threads = [threading.Thread(target=send, args=(one if n < 2 else other, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2 * per_thread):
            done.acquire()
        os.killpg(other.server.process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
        stored = content(shared)
        acknowledged = set(one.acknowledged) | set(other.acknowledged)
        assert acknowledged <= set(stored) and len(stored) == len(set(stored))
        assert {f"event {thread}-{n}" for thread in range(2) for n in range(per_thread)} <= set(stored)
        assert 0 < len(other.acknowledged) < 4 * per_thread
        last = next(name for name in reversed(other.acknowledged) if name.startswith("item"))[5:]
        wait_for(lambda: last in one.found(f"Novelty {last[4:].replace('-', ' ')}"))


def content(settings: Settings) -> list[str]:
    """The names of the clicks and of the new items that are stored, each as often as it is."""
    with closing(open_database(settings)) as database, database.reading() as connection:
        clicks = connection.execute(select(events.c.event_id).where(events.c.action_name == "click")).scalars()
        new = connection.execute(select(items.c.item_id).where(items.c.item_id.like("new-%"))).scalars()
        return [f"event {one}" for one in clicks] + [f"item {one}" for one in new]


def test_the_database_may_go_away_and_come_back(shared: Settings, tmp_path: Path, cluster: Cluster) -> None:
    with two_servers(shared, tmp_path) as (one, other):
        name = str(shared.database).split("/")[-1].split("?")[0]
        cluster.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        for caller in (one, other):
            wait_for(lambda caller=caller: caller.found("red ball")[0] == "ball-red")
        one.ask("PUT", "/api/items/after", {"title": "A xylophone from afterwards"})
        wait_for(lambda: "after" in other.found("xylophone from afterwards"))
