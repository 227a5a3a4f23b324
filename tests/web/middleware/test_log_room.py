"""What is logged is bounded: of one address and of all a day, and by the size of the database."""

from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.exceptions import TooManyRequests

from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import Database, open_database
from magpie.data.database.size import size_bytes
from magpie.data.errors import LogFull
from magpie.data.events.event_log import EventLog
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.middleware.log_room import DAY_S, LogRoom
from magpie.web.shared.rate_counters import SharedCounters
from tests.support.serving import client_of

CLICK = {"action_name": "click", "client_id": "c"}


@pytest.fixture
def database(own_shop: Settings) -> Iterator[Database]:
    opened = open_database(own_shop)
    yield opened
    opened.close()


def room_of(database: Database, own_shop: Settings, **limits: int) -> LogRoom:
    return LogRoom(own_shop.model_copy(update=limits), database, SharedCounters())


def test_an_address_has_its_share_of_a_day(database: Database, own_shop: Settings) -> None:
    room = room_of(database, own_shop, log_per_address_mb=1, log_per_day_mb=0)
    assert room.has_room("10.0.0.1", 600_000, False) and not room.has_room("10.0.0.1", 600_000, False)
    assert room.has_room("10.0.0.2", 600_000, False) and room.has_room("10.0.0.1", 600_000, True)
    assert room.has_room("2001:db8::1", 600_000, False) and not room.has_room("2001:db8::2", 600_000, False)
    with pytest.raises(TooManyRequests, match="MAGPIE_LOG_PER_ADDRESS_MB") as refused:
        room.demand("10.0.0.1", 1, False)
    assert DAY_S - 60 < refused.value.retry_after <= DAY_S
    assert room.alarms == []


def test_all_together_have_a_day_and_its_end_is_an_alarm(database: Database, own_shop: Settings) -> None:
    room = room_of(database, own_shop, log_per_address_mb=0, log_per_day_mb=1)
    assert room.has_room("10.0.0.1", 600_000, False) and room.alarms == []
    assert not room.has_room("10.0.0.2", 600_000, False)
    assert ["MAGPIE_LOG_PER_DAY_MB" in alarm for alarm in room.alarms] == [True]
    assert room.has_room("10.0.0.3", 600_000, True)


def test_without_limits_there_is_always_room(database: Database, own_shop: Settings) -> None:
    room = room_of(database, own_shop, log_per_address_mb=0, log_per_day_mb=0, log_limit_mb=0)
    assert all(room.has_room("10.0.0.1", 10**9, False) for _ in range(5)) and room.alarms == []


def test_a_database_that_is_too_large_takes_no_more(database: Database, own_shop: Settings) -> None:
    assert size_bytes(database) >= 4096
    room = room_of(database, own_shop, log_limit_mb=1)
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE ballast AS SELECT zeroblob(2000000) AS bytes")
    assert room.database_bytes > 2_000_000
    assert not room.has_room("10.0.0.1", 1, True) and "MAGPIE_LOG_LIMIT_MB" in room.alarms[0]
    with pytest.raises(LogFull, match="events purge"):
        room.demand("10.0.0.1", 1, True)
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE ballast")
    assert size_bytes(database) < 2_000_000


def test_beyond_the_day_searches_are_answered_and_events_refused(own_shop: Settings) -> None:
    database = open_database(own_shop)
    bears = {"Authorization": f"Bearer {create_token(database, 'shop', ['events'])}"}
    app = create_app(own_shop.model_copy(update={"log_per_address_mb": 1}))
    client, opened = client_of(app), app.extensions["magpie"]
    opened.log_room.has_room("127.0.0.1", 1_000_000, False)

    def counts() -> dict[str, Any]:
        opened.query_log.settle()
        return EventLog(database).counts()

    before = counts()
    assert client.get("/api/search?q=ball").status_code == 200
    refused = client.post("/api/events", json=CLICK)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 3600
    assert counts() == before and opened.metrics.unlogged._value.get() == 1
    assert client.post("/api/events", json=CLICK, headers=bears).status_code == 200
    assert client.get("/api/search?q=ring", headers=bears).status_code == 200
    assert counts()["queries"] == before["queries"] + 1 and counts()["events"] == before["events"] + 1
    opened.close()
    database.close()


def test_a_full_log_is_an_alarm_of_the_server(own_shop: Settings) -> None:
    app = create_app(own_shop.model_copy(update={"log_limit_mb": 1}))
    client, opened = client_of(app), app.extensions["magpie"]
    with opened.database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE ballast AS SELECT zeroblob(2000000) AS bytes")
    assert client.post("/api/events", json=CLICK).status_code == 503
    assert client.get("/api/search?q=ball").status_code == 200
    assert any("MAGPIE_LOG_LIMIT_MB" in alarm for alarm in client.get("/readyz").get_json()["alarms"])
    opened.close()
