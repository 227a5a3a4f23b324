"""Ids that say when their search was answered, and events that cannot have happened."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.clock import now_ms
from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import Database, open_database
from magpie.data.events.event_log import EventLog
from magpie.data.events.event_validation import validate_event
from magpie.data.events.filter_reasons import FORGED, TOO_EARLY, TOO_LATE, UNREACHABLE, WRONG_CLOCK
from magpie.data.events.signed_query_ids import QueryIds, open_query_ids
from magpie.data.events.ubi import EventRecord
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of

pytestmark = pytest.mark.every_database

IDS = QueryIds(b"k" * 32)
DAY_MS = 86_400_000


def test_an_id_is_known_again_with_its_time() -> None:
    before = now_ms()
    made = IDS.new()
    at = IDS.answered_at(made)
    assert len(made) == 48 and at is not None and before <= at <= now_ms()


@given(st.integers(0, 47), st.sampled_from("0123456789abcdefgZ-"))
def test_an_id_with_any_digit_changed_is_not(place: int, digit: str) -> None:
    made = IDS.new()
    changed = made[:place] + digit + made[place + 1 :]
    assert (IDS.answered_at(changed) is None) == (changed != made)


@given(st.text(max_size=60))
def test_other_texts_are_no_ids(text: str) -> None:
    assert IDS.answered_at(text) is None


@pytest.mark.sqlite_only  # where each home has a database of its own
def test_the_key_stays_and_is_this_installations_own(database: Database, settings: Settings, tmp_path: Any) -> None:
    made = open_query_ids(database).new()
    assert open_query_ids(database).answered_at(made) is not None
    other = open_database(settings.model_copy(update={"home": tmp_path / "other"}))
    assert open_query_ids(other).answered_at(made) is None
    other.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"query_id": ""}, ""),
        ({"query_id": "q1"}, FORGED),
        ({"query_id": QueryIds(b"x" * 32).new()}, FORGED),
        ({"position": 10_001}, UNREACHABLE),
        ({"seconds_ago": 600}, TOO_EARLY),
        ({"seconds_ago": -600}, WRONG_CLOCK),
        ({"seconds_ago": 31 * 86_400, "query_id": ""}, WRONG_CLOCK),
    ],
)
def test_what_cannot_have_happened_is_set_aside(changes: dict[str, Any], reason: str) -> None:
    fields = {"action_name": "click", "query_id": IDS.new(), "position": 3, **changes}
    moment = now_ms() - 1000 * fields.pop("seconds_ago", 0)
    event = EventRecord(timestamp_ms=moment, **fields)
    assert validate_event(event, now_ms(), IDS).filter_reason == reason


def test_a_click_long_after_its_search_is_set_aside() -> None:
    event = EventRecord("click", query_id=IDS.new(), timestamp_ms=now_ms() + 31 * DAY_MS)
    assert validate_event(event, event.timestamp_ms, IDS).filter_reason == TOO_LATE


# ---- over HTTP ----


@pytest.fixture
def app(own_shop: Settings) -> Iterator[Flask]:
    opened = create_app(own_shop)
    yield opened
    opened.extensions["magpie"].close()


def reasons(settings: Settings) -> list[str]:
    database = open_database(settings)
    found = [one.get("set_aside", "") for one in EventLog(database).export() if "action_name" in one]
    database.close()
    return found


def test_events_of_real_searches_count_and_forged_ones_are_set_aside(app: Flask, own_shop: Settings) -> None:
    client = client_of(app)
    answers = [
        client.get("/api/search?q=red").get_json(),
        client.get("/api/items/ball-red/similar").get_json(),
        client.get("/api/recommend?item=ball-red").get_json(),
    ]
    ids = [answer["query_id"] for answer in answers]
    for query_id in (*ids, "f" * 48):
        sent = client.post("/api/events", json={"action_name": "click", "query_id": query_id})
        assert sent.get_json()["accepted"] == 1
    assert reasons(own_shop) == ["", "", "", FORGED]
    assert 'outcome="set aside"} 1.0' in client.get("/metrics").get_data(as_text=True)


def test_who_bears_a_token_for_events_is_taken_at_their_word(app: Flask, own_shop: Settings) -> None:
    database = open_database(own_shop)
    bears = {scope: create_token(database, scope, [scope]) for scope in ("events", "read")}
    database.close()
    for token in bears.values():
        headers = {"Authorization": f"Bearer {token}"}
        event = {"action_name": "click", "query_id": "elsewhere-1", "client_id": token[:12]}
        assert client_of(app).post("/api/events", json=event, headers=headers).status_code == 200
    assert reasons(own_shop) == ["", FORGED]
