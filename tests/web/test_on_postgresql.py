"""A home on PostgreSQL does what one on SQLite does, command by command; two servers share one database."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import open_database
from magpie.data.database.copy_database import copy_database
from magpie.data.database.tables import events, items, queries
from magpie.data.events.event_log import EventLog
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.cli import main as cli
from tests.support.postgresql import EMPTY, Cluster, running_cluster
from tests.support.servers import Caller, wait_until
from tests.support.serving import client_of, serving

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC).replace(microsecond=0)
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


@pytest.fixture
def shared(own_shop: Settings, empty_postgresql_url: str) -> Settings:
    """A shop in PostgreSQL, and its home."""
    return moved(own_shop, empty_postgresql_url)


@contextmanager
def two_servers(shared: Settings, tmp_path: Path) -> Iterator[tuple[Caller, Caller]]:
    """Two servers on the same database, each with a home of its own; the second is two processes."""
    with closing(open_database(shared)) as database:
        token = create_token(database, "shop", ["admin"])
    homes = [tmp_path / name / "home" for name in ("one", "other")]
    for home in homes:
        shutil.copytree(shared.home, home)
    url = {"MAGPIE_DATABASE_URL": shared.database}
    with serving(homes[0], **url) as one, serving(homes[1], MAGPIE_WORKERS="2", **url) as other:
        callers = Caller(one, token), Caller(other, token)
        for caller in callers:
            caller.wait_for("red ball")
        yield callers


def test_a_change_through_one_is_searchable_on_the_other(shared: Settings, tmp_path: Path) -> None:
    with two_servers(shared, tmp_path) as (one, other):
        one.ask("PUT", "/api/items/zeppelin", {"title": "A zeppelin of silk"})
        wait_until(lambda: "zeppelin" in other.found("zeppelin of silk"))
        other.ask("PUT", "/api/items/zeppelin", {"title": "A submarine of brass"})
        wait_until(lambda: "A submarine of brass" in one.found("submarine of brass", "title"))
        other.ask("DELETE", "/api/items/zeppelin")
        wait_until(lambda: "zeppelin" not in one.found("submarine of brass"))


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
        wait_until(lambda: last in one.found(f"Novelty {last[4:].replace('-', ' ')}"))


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
            wait_until(lambda caller=caller: caller.found("red ball")[0] == "ball-red")
        one.ask("PUT", "/api/items/after", {"title": "A xylophone from afterwards"})
        wait_until(lambda: "after" in other.found("xylophone from afterwards"))


def test_while_the_database_is_stopped_searches_go_on_and_writers_are_told_to_come_again(own_shop: Settings) -> None:
    with running_cluster() as own_cluster, own_cluster.database(EMPTY) as url:
        app = create_app(moved(own_shop, url))
        client, event = client_of(app), {"action_name": "view", "event_id": "one"}
        requests = (("POST", "/api/events", event), ("PUT", "/api/items/new", {"title": "New"}))
        assert client.get("/api/search?q=blue+box").status_code == 200
        own_cluster.control("stop")
        try:
            refused = [client.open(path, method=method, json=body) for method, path, body in requests]
            found = client.get("/api/search?q=red+ball")
        finally:
            own_cluster.control("start")
        assert [(one.status_code, one.headers.get("Retry-After")) for one in refused] == [(503, "2")] * 2
        assert found.get_json()["hits"][0]["item_id"] == "ball-red"
        assert [client.open(path, method=method, json=body).status_code for method, path, body in requests] == [
            200,
            201,
        ]
        services = app.extensions["magpie"]
        services.query_log.settle(timeout_s=20)
        logged = {record.get("user_query") for record in EventLog(services.database).export()}
        assert {"red ball", "blue box"} <= logged
        services.close()
