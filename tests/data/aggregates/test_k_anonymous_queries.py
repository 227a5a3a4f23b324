"""Suggestions from searches: only what enough different people searched, and nothing that tells of one of them."""

from hashlib import blake2b
from typing import Any

import pytest
from flask import Flask

from magpie.data.aggregates.k_anonymous_queries import DAY_MS, shared_queries
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.origin import origin_of
from magpie.data.events.pseudonyms import SPAN_MS
from magpie.data.events.ubi import QueryRecord
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import backend_of

pytestmark = pytest.mark.every_database

NOON = 690 * SPAN_MS


def searches(database: Database, words: str, *clients: str, **fields: Any) -> None:
    records = []
    for client in clients:
        query_id = blake2b(f"{words}-{client}-{fields}".encode(), digest_size=16).hexdigest()
        records.append(QueryRecord(query_id, words, client_id=client, **({"timestamp_ms": NOON} | fields)))
    EventLog(database).record_queries(records)


def test_enough_different_clients_make_a_query_common(database: Database) -> None:
    searches(database, "Red  Ball", "c1", "c2")
    searches(database, "red ball", "c2", "c3")
    searches(database, "secret wish", "c1", "c2")
    for again in range(5):
        searches(database, "my own", "c1", session_id=str(again))
        searches(database, "nobody's", "", session_id=str(again))
    assert shared_queries(database, NOON, min_clients=3) == [("red ball", 3)]
    assert shared_queries(database, NOON, min_clients=2) == [("red ball", 3), ("secret wish", 2)]
    assert shared_queries(database, NOON + 1, min_clients=2) == []


def test_a_client_with_two_names_is_still_one(database: Database) -> None:
    for span in range(3):
        searches(database, "my own", "c1", timestamp_ms=NOON + span * SPAN_MS)
    assert shared_queries(database, NOON, min_clients=2) == []


@pytest.mark.parametrize("words", ["ann@example.org", "call 0171 234567", "https://x.example", "x", "y" * 61])
def test_what_tells_of_somebody_is_never_common(database: Database, words: str) -> None:
    searches(database, words, "c1", "c2", "c3")
    assert shared_queries(database, 0, min_clients=2) == []


def test_half_typed_misunderstood_and_odd_searches_do_not_count(database: Database) -> None:
    searches(database, "re", "c1", "c2", application="magpie", query_attributes={"typing": True, "confident": True})
    searches(database, "zzz", "c1", "c2", application="magpie")
    searches(database, "bots", "c1", "c2", filter_reason="bot")
    searches(database, "good", "c1", "c2", application="magpie", query_attributes={"confident": True})
    assert shared_queries(database, 0, min_clients=2) == [("good", 2)]


def test_searches_are_suggested_over_http(own_shop: Settings) -> None:
    app: Flask = create_app(own_shop.model_copy(update={"min_clients": 2}))
    client, opened = backend_of(app), app.extensions["magpie"]
    for name in ("c1", "c2"):
        client.post("/api/search", json={"query": "blue ball for kim", "client_id": name})
    client.post("/api/search", json={"query": "blue ball for joe", "client_id": "c1"})
    opened.query_log.close()
    opened.engine.popularity.refresh()
    suggestions = client.get("/api/suggest?q=blue+ball").get_json()["suggestions"]
    opened.close()
    assert suggestions[0] == "blue ball for kim" and "blue ball for joe" not in suggestions


# ---- strangers ----


def visits(database: Database, words: str, *addresses: str, is_proved: bool = True, days: int = 2) -> None:
    """One search a day and address, each of a visit of its own."""
    for day in range(days):
        for number, address in enumerate(addresses):
            name = f"{words}-{number}"
            origin, at = origin_of(address, is_proved), NOON + day * DAY_MS
            searches(database, words, "", session_id=name, origin=origin, timestamp_ms=at)


def test_strangers_count_from_different_blocks_over_two_days(database: Database) -> None:
    far = [f"192.0.{number}.1" for number in range(5)]
    visits(database, "good", *far)
    visits(database, "one day", *far, days=1)
    visits(database, "one block", *(f"192.0.2.{number}" for number in range(40)))
    visits(database, "unproved", *far, is_proved=False)
    visits(database, "too few", *far[:4])
    assert shared_queries(database, 0, min_clients=5) == [("good", 5)]


def test_one_person_who_travels_is_one(database: Database) -> None:
    for number in range(9):
        at = NOON + number * DAY_MS
        searches(database, "mine", "c1", origin=origin_of(f"10.0.{number}.1", True), timestamp_ms=at)
    assert shared_queries(database, 0, min_clients=2) == []


def test_strangers_add_to_the_clients_that_a_token_vouches_for(database: Database) -> None:
    searches(database, "good", "c1", "c2", "c3")
    visits(database, "good", "192.0.2.1", "198.51.100.1", "203.0.113.1", days=1)
    assert shared_queries(database, 0, min_clients=4) == []
    visits(database, "good", "192.0.2.1", days=3)
    assert shared_queries(database, 0, min_clients=4) == [("good", 6)]


def test_offensive_searches_are_never_common(database: Database) -> None:
    searches(database, "fucking lamp", "c1", "c2", "c3")
    searches(database, "lamp", "c1", "c2", "c3")
    assert shared_queries(database, 0, min_clients=2) == [("lamp", 3)]
