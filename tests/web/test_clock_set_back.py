"""A clock that is set back: nobody is refused for long, nothing is lost, nothing goes out of order."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from werkzeug.exceptions import TooManyRequests

from magpie.data.aggregates.click_aggregates import read_click_aggregates, refresh_click_aggregates
from magpie.data.database.connection import Database, open_database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id, generation_ids, roll_back
from magpie.indexer.rebuild import rebuild
from magpie.web.app import create_app
from magpie.web.middleware.rate_limits import RateLimits
from magpie.web.shared.rate_counters import SharedCounters
from tests.support.serving import client_of

HOUR_S, DAY_MS = 3600.0, 86_400_000


class Clock:
    """The system's clock, which somebody sets."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        self._real = time.time

    def time(self) -> float:
        return self._real() - self.behind_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "time", made.time)
    return made


@pytest.fixture
def own_app(own_shop: Settings) -> Iterator[Flask]:
    app = create_app(own_shop)
    yield app
    app.extensions["magpie"].close()


def test_whoever_was_refused_is_let_in_again_a_second_later(settings: Settings, clock: Clock) -> None:
    limits = RateLimits(settings.model_copy(update={"rate_limit": "1 per second"}), SharedCounters())
    limits.count_address("192.0.2.1")
    clock.behind_s = HOUR_S
    with pytest.raises(TooManyRequests) as refused:
        limits.count_address("192.0.2.1")
    assert refused.value.retry_after == 1
    time.sleep(1.05)
    limits.count_address("192.0.2.1")


def test_searches_events_and_items_go_on(own_app: Flask, clock: Clock) -> None:
    client = client_of(own_app)
    found = client.get("/api/search?q=red+ball&client_id=c1&session_id=s1").get_json()
    etag = client.put("/api/items/mine", json={"title": "Mine"}).headers["ETag"]
    clock.behind_s = HOUR_S
    again = client.get("/api/search?q=red+ball&client_id=c1&session_id=s1").get_json()
    assert again["hits"] and 0 <= again["took_ms"] < 60_000
    event = {"action_name": "click", "query_id": again["query_id"], "object_id": "ball-red"}
    answer = client.post("/api/events", json=[event, {**event, "query_id": found["query_id"]}]).get_json()
    assert answer["accepted"] == 2
    assert client.put("/api/items/mine", json={"title": "Later"}, headers={"If-Match": etag}).status_code == 200
    assert client.get("/api/items/mine").headers["ETag"] != etag
    opened = own_app.extensions["magpie"]
    opened.query_log.settle()
    exported = list(opened.event_log.export())
    assert sum("user_query" in one for one in exported) == 2
    reasons = [one.get("set_aside", "") for one in exported if "action_name" in one]
    assert len(reasons) == 2 and "" in reasons  # one clicked "before" its search was answered
    assert min(_sums(client.get("/metrics").text)) >= 0


def _sums(text: str) -> list[float]:
    return [
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("magpie_request_seconds_sum")
    ]


def test_generations_keep_their_order(own_shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    database = open_database(own_shop)
    first = current_id(own_shop)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2001, 1, 1, tzinfo=UTC)

    monkeypatch.setattr("magpie.indexer.generations.store.datetime", Earlier)
    later = rebuild(own_shop, database).generation
    database.close()
    assert generation_ids(own_shop) == [first, later] and current_id(own_shop) == later
    assert roll_back(own_shop) == first


def test_days_that_come_again_are_counted_again(database: Database) -> None:
    """Sums by day follow the log, in whatever order its days come."""
    log = EventLog(database)
    for turn, day in enumerate((20_003, 20_001, 20_002, 20_001)):
        at_ms, name = day * DAY_MS + turn * 60_000, f"q{turn}"
        log.record_queries(
            [QueryRecord(name, "red", client_id=name, timestamp_ms=at_ms, hits=(ShownHit("a", 1), ShownHit("b", 2)))]
        )
        log.record_events([EventRecord("click", name, name, timestamp_ms=at_ms + 1000, object_id="a", position=1)])
        refresh_click_aggregates(database)
    cells = read_click_aggregates(database)
    assert cells.num_clicks == 4 and sorted(set(cells.day.tolist())) == [20_001, 20_002, 20_003]
