"""Another process that writes for seconds: searches go on, writers are told to come again, nothing is lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from flask import Flask

from magpie.data.database.connection import open_database
from magpie.data.errors import DatabaseBusy
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of


@contextmanager
def writing(settings: Settings, lock: str = "IMMEDIATE") -> Iterator[None]:
    """Another writer at work."""
    with closing(sqlite3.connect(settings.home / "magpie.db", isolation_level=None)) as other:
        other.execute(f"BEGIN {lock}")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def own_app(own_shop: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr("magpie.web.services.PATIENCE_S", 0.1)
    app = create_app(own_shop)
    yield app
    app.extensions["magpie"].close()


def test_writers_are_told_to_come_again(own_app: Flask, own_shop: Settings) -> None:
    client, event = client_of(own_app), {"action_name": "view", "event_id": "one"}
    requests = (("PUT", "/api/items/new", {"title": "New"}), ("POST", "/api/events", event))
    with writing(own_shop):
        for method, path, body in requests:
            refused = client.open(path, method=method, json=body)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
            assert refused.mimetype == "application/problem+json" and "writing" in refused.get_json()["detail"]
        assert client.delete("/api/items/ball-red").status_code == 503
        assert client.get("/api/search?q=red+ball").get_json()["hits"][0]["item_id"] == "ball-red"
    assert [client.open(path, method=method, json=body).status_code for method, path, body in requests] == [201, 200]
    assert client.post("/api/events", json=event).get_json()["duplicates"] == 1


def test_searches_of_the_meantime_are_logged_later(own_app: Flask, own_shop: Settings) -> None:
    opened = own_app.extensions["magpie"]
    with writing(own_shop):
        for n in range(5):
            client_of(own_app).get(f"/api/search?q=red+ball&client_id=c{n}")
        opened.query_log.settle(timeout_s=1)
        assert not list(opened.event_log.export())
    opened.query_log.settle(timeout_s=20)
    assert len(list(opened.event_log.export())) == 5


def test_who_waits_too_long_for_the_database_says_so(settings: Settings) -> None:
    with closing(open_database(settings, patience_s=0.1)) as database:
        with writing(settings), pytest.raises(DatabaseBusy, match=r"magpie\.db"), database.writing():
            pass
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO counters VALUES ('mine', 1)")
