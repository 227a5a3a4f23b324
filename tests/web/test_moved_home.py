"""A home that is moved or replaced under its server, and background work that fails: alarms, and 503 for writes."""

import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from flask import Flask

from magpie.data.errors import DatabaseBusy
from magpie.data.settings import Settings
from magpie.web import services
from magpie.web.app import create_app
from magpie.web.background import query_logger
from tests.support.serving import Client, Server, client_of, serving

pytestmark = pytest.mark.slow

WITHIN_S = 30.0


def ask(server: Server, method: str, path: str, body: object = None) -> tuple[int, Any]:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(server.url + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            content, status = answer.read(), answer.status
    except HTTPError as error:
        content, status = error.read(), error.code
    return status, json.loads(content) if content[:1] in (b"{", b"[") else content.decode()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)


def is_found(server: Server, word: str) -> bool:
    status, found = ask(server, "GET", f"/api/search?q={word}&k=1")
    return status == 200 and found["hits"][0]["item_id"] == word


def assert_nothing_is_stored(server: Server) -> None:
    for method, path, body in (
        ("PUT", "/api/items/lost", {"title": "lost"}),
        ("POST", "/api/items", [{"item_id": "lost", "title": "lost"}]),
        ("DELETE", "/api/items/ball-red", None),
        ("POST", "/api/events", {"action_name": "click", "client_id": "somebody"}),
    ):
        status, problem = ask(server, method, path, body)
        assert status == 503 and "put it back" in problem["detail"], (method, path)
    status, ready = ask(server, "GET", "/readyz")
    assert status == 200 and any("no longer what was opened" in alarm for alarm in ready["alarms"])
    assert "magpie_alarms 1.0" in ask(server, "GET", "/metrics")[1]
    assert is_found(server, "xylograph")  # searching goes on


def test_a_moved_home_takes_nothing_until_it_is_back(own_shop: Settings, tmp_path: Path) -> None:
    home, elsewhere = own_shop.home, tmp_path / "elsewhere"
    with serving(home) as server:
        assert ask(server, "PUT", "/api/items/xylograph", {"title": "xylograph"})[0] == 201
        wait_until(lambda: is_found(server, "xylograph"))
        home.rename(elsewhere)
        assert_nothing_is_stored(server)
        time.sleep(1.5)  # the background work of three intervals
        assert not home.exists()
        home.mkdir()  # another folder in its place, as under a mount that is gone
        assert_nothing_is_stored(server)
        time.sleep(1.5)
        assert list(home.iterdir()) == []
        home.rmdir()
        elsewhere.rename(home)
        assert ask(server, "GET", "/readyz")[1]["alarms"] == []
        assert ask(server, "GET", "/api/items/lost")[0] == 404
        assert ask(server, "PUT", "/api/items/zorblatt", {"title": "zorblatt"})[0] == 201
        wait_until(lambda: is_found(server, "zorblatt"))


def test_a_database_file_that_is_replaced_takes_nothing(own_shop: Settings, tmp_path: Path) -> None:
    with serving(own_shop.home) as server:
        assert ask(server, "PUT", "/api/items/xylograph", {"title": "xylograph"})[0] == 201
        wait_until(lambda: is_found(server, "xylograph"))
        file = own_shop.home / "magpie.db"
        shutil.copy(file, tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(file)
        assert_nothing_is_stored(server)


@pytest.fixture
def own_app(own_shop: Settings) -> Iterator[Flask]:
    app = create_app(own_shop)
    yield app
    app.extensions["magpie"].close()


def alarms(client: Client) -> list[str]:
    return list(client.get("/readyz").get_json()["alarms"])


def test_without_current_changes_are_still_taken_up_and_an_alarm_says_what_to_do(
    own_app: Flask, own_shop: Settings
) -> None:
    client = client_of(own_app)
    assert alarms(client) == []
    own_shop.current_file.unlink()
    assert client.put("/api/items/xylograph", json={"title": "xylograph"}).status_code == 201
    own_app.extensions["magpie"].engine.refresh()
    assert client.get("/api/search?q=xylograph").get_json()["hits"][0]["item_id"] == "xylograph"
    (alarm,) = alarms(client)
    assert "CURRENT: is gone" in alarm and "magpie index rebuild" in alarm


def test_changes_that_cannot_be_indexed_are_an_alarm_while_it_lasts(
    own_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, engine = client_of(own_app), own_app.extensions["magpie"].engine
    assert alarms(client) == []

    def refuse(*_: object) -> None:
        raise DatabaseBusy("somebody else writes")

    with monkeypatch.context() as broken:
        broken.setattr("magpie.search.serving.follow", refuse)
        assert client.put("/api/items/xylograph", json={"title": "xylograph"}).status_code == 201
        wait_until(lambda: alarms(client) != [])
        assert alarms(client) == ["Changes since the last rebuild are not searchable: somebody else writes"]
    engine.refresh()
    assert alarms(client) == []
    assert client.get("/api/search?q=xylograph").get_json()["hits"][0]["item_id"] == "xylograph"


@pytest.mark.parametrize(
    ("interval", "broken", "begins"),
    [
        ("REFRESH_INTERVAL_S", "SearchEngine.refresh", "Taking up changes and new indexes has failed for"),
        ("COUNTING_INTERVAL_S", "filter_recent_spam", "Counting what people did has failed for"),
    ],
)
def test_background_work_that_goes_on_failing_is_an_alarm(
    own_shop: Settings, monkeypatch: pytest.MonkeyPatch, interval: str, broken: str, begins: str
) -> None:
    monkeypatch.setattr(services, interval, 0.02)
    app = create_app(own_shop)
    client = client_of(app)

    def fail(*_: object) -> None:
        raise OSError("what is not for everybody's eyes")

    try:
        assert alarms(client) == []
        with monkeypatch.context() as for_a_while:
            for_a_while.setattr(f"magpie.web.services.{broken}", fail)
            wait_until(lambda: alarms(client) != [])
            (alarm,) = alarms(client)
            assert alarm.startswith(begins) and alarm.endswith("OSError")
        wait_until(lambda: alarms(client) == [])
    finally:
        app.extensions["magpie"].close()


def test_searches_that_cannot_be_logged_are_an_alarm(own_shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_logger, "ALARM_AFTER_S", 0.0)
    app = create_app(own_shop)
    client, opened = client_of(app), app.extensions["magpie"]

    def refuse(*_: object) -> None:
        raise DatabaseBusy("somebody else writes")

    try:
        with monkeypatch.context() as broken:
            broken.setattr(opened.event_log, "record_queries", refuse)
            assert client.get("/api/search?q=ball").status_code == 200
            wait_until(lambda: alarms(client) != [])
            (alarm,) = alarms(client)
            assert alarm.startswith("Logging searches has failed for") and "(1 wait, 0 are lost)" in alarm
        wait_until(lambda: alarms(client) == [])
    finally:
        opened.close()
