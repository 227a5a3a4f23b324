"""Privacy, proved on the bytes of the home: who searched, from where and with what is written nowhere."""

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from magpie.data.aggregates.click_aggregates import read_click_aggregates, refresh_click_aggregates
from magpie.data.aggregates.clicked_queries import clicked_queries
from magpie.data.aggregates.k_anonymous_queries import shared_queries
from magpie.data.clock import now_ms
from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import Database, open_database
from magpie.data.database.migrations import HEAD
from magpie.data.database.tables import client_salts, events, queries
from magpie.data.erasure.erase import Forgotten, forget_client, forgotten_at, purge
from magpie.data.erasure.subject_access import forget_session
from magpie.data.events.event_log import EventLog
from magpie.data.events.pseudonyms import SPAN_MS, drop_old_salts, pseudonyms_of
from magpie.data.events.rows import event_values, query_values
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import filter_spam
from magpie.search.personalisation.popularity import Popularity
from magpie.search.ranker.ranker_store import is_stale
from magpie.web.app import create_app
from tests.support.older_database import undo_origins
from tests.support.serving import client_of

CLIENT = "kim.visitor-4711"
ADDRESS = "203.0.113.77"
AGENT = "TellingBrowser/98.7"
SECRET_WORDS = "zanzibarq wedding"


def bytes_of(home: Path) -> bytes:
    """All that the home's files hold, those of SQLite's log included."""
    return b"\0".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.fixture
def app(own_shop: Settings) -> Iterator[Flask]:
    opened = create_app(own_shop)
    yield opened
    opened.extensions["magpie"].close()


# as shops' own pages send them along, under names and at depths of their own
TRACES: dict[str, Any] = {
    "user_agent": AGENT,
    "IP-Address": ADDRESS,
    "context": [{"request": {"X-Forwarded-For": ADDRESS, "userAgent": AGENT, "theme": "dark mode kept"}}],
}


def behave(app: Flask, **headers: str) -> None:
    """Searches, recommendations, the page, an upload's error, and events of one person."""
    client = client_of(app)
    sent: dict[str, Any] = {
        "headers": {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS, **headers},
        "environ_base": {"REMOTE_ADDR": ADDRESS},
    }
    body = {"query": "red ball", "client_id": CLIENT}
    found = client.post("/api/search", json=body, **sent).get_json()
    client.get("/api/search", query_string={"q": "blue box", "client_id": CLIENT}, **sent)
    client.get("/api/recommend", query_string={"client_id": CLIENT}, **sent)
    client.get("/?q=kite+for+zanzibarq", **sent)
    client.post("/api/search", data={"image": (BytesIO(b"no picture"), "x.jpg")}, **sent)
    event = {"action_name": "click", "query_id": found["query_id"], "client_id": CLIENT}
    client.post("/api/events", json={**event, "event_attributes": {"object": {"object_id": "ball-red"}}}, **sent)
    client.post("/api/events", json={**event, "query_id": "forged"}, **sent)
    told = {"object": {"object_id": "ball-red", "ip": ADDRESS}, "ip": ADDRESS, **TRACES}
    client.post("/api/events", json={**event, **TRACES, "event_attributes": told}, **sent)


def test_no_client_address_or_browser_is_written_anywhere(app: Flask, own_shop: Settings, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    behave(app)
    app.extensions["magpie"].query_log.close()
    written = bytes_of(own_shop.home)
    assert b"kite for zanzibarq" in written  # so the log is among these files
    assert written.count(b"dark mode kept") >= 2  # and what came beside addresses and browsers' names is kept
    for told in (CLIENT, ADDRESS, AGENT):
        assert told.encode() not in written
        assert told not in caplog.text


def test_an_imported_log_loses_addresses_and_browsers_and_keeps_the_verdict(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    robot = "Mozilla/5.0 (compatible; Examplebot/2.1)"
    query = {"query_id": "q1", "user_query": "vase", "timestamp": now_ms(), "query_attributes": TRACES, **TRACES}
    lines = [query, {**query, "query_id": "q2", "user_agent": robot}]
    lines += [{"action_name": "click", "query_id": f"q{n}", "timestamp": now_ms(), **TRACES} for n in (1, 2)]
    lines.append({"action_name": "click", "timestamp": now_ms(), "event_attributes": {"userAgent": "curl/8.5"}})
    feed = tmp_path / "log.ndjson"
    feed.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    log = EventLog(database)
    counts = log.import_lines(feed, settings.rejects_dir, filter_spam)
    assert (counts["queries"], counts["events"], counts["rejected"]) == (2, 3, 0)
    exported = list(log.export())
    assert [line.get("set_aside") for line in exported] == [None, "bot", None, "bot", "bot"]
    assert exported[0]["context"] == [{"request": {"theme": "dark mode kept"}}]
    for told in (ADDRESS, AGENT, robot, "curl/8.5"):
        assert told.encode() not in bytes_of(settings.home)


def test_of_a_crawler_only_the_verdict_is_kept(app: Flask, own_shop: Settings) -> None:
    client, robot = client_of(app), {"User-Agent": "Examplebot/2.1 (+https://crawler.example/)"}
    found = client.get("/api/search?q=red+ball&client_id=c", headers=robot).get_json()
    client.get("/?q=red+ball", headers=robot)
    client.get("/api/recommend?client_id=c", headers=robot)
    event = {"action_name": "click", "query_id": found["query_id"], "event_attributes": {"object": {"object_id": "x"}}}
    assert client.post("/api/events", json=event, headers=robot).get_json()["stored"]
    client.get("/api/search?q=red+ball&client_id=c", headers={"User-Agent": AGENT})
    app.extensions["magpie"].query_log.close()
    reasons = [line.get("set_aside") for line in app.extensions["magpie"].event_log.export()]
    assert reasons == ["bot", "bot", "bot", None, "bot"]
    assert b"Examplebot" not in bytes_of(own_shop.home)


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_asks_for_privacy_changes_no_byte_of_the_log(app: Flask, own_shop: Settings, header: str) -> None:
    behave(app, **{header: "1"})
    app.extensions["magpie"].query_log.close()
    database = open_database(own_shop)
    assert EventLog(database).counts() == {"queries": 0, "events": 0, "set_aside": 0}
    database.close()
    assert b"kite for zanzibarq" not in bytes_of(own_shop.home)


def test_secrets_are_not_logged(own_shop: Settings, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    database = open_database(own_shop)
    token = create_token(database, "one", ["read"])
    database.close()
    app = create_app(own_shop.model_copy(update={"api_token": "the-owners-secret"}))
    client = client_of(app)
    for given in ("the-owners-secret", token, "wrong-secret"):
        answers = [
            client.put("/api/items/x", json={"title": ""}, headers={"Authorization": f"Bearer {given}"}),
            client.get("/metrics", headers={"Authorization": f"Bearer {given}"}),
        ]
        assert all(given not in answer.get_data(as_text=True) for answer in answers)
        assert given not in caplog.text
    app.extensions["magpie"].close()
    assert b"the-owners-secret" not in bytes_of(own_shop.home) and token.encode() not in bytes_of(own_shop.home)


@pytest.mark.every_database
def test_no_failing_statement_tells_salts_or_words(database: Database) -> None:
    salt = b"salt-of-this-span"
    asked = query_values(QueryRecord("q1", SECRET_WORDS, CLIENT))
    salted, incomplete = {"span": 7, "salt": salt}, asked | {"reason": None}
    for table, rows in ((client_salts, [salted, salted]), (queries, [asked, asked]), (queries, [incomplete])):
        with pytest.raises(IntegrityError) as failed, database.writing() as connection:
            connection.execute(insert(table), rows)
        told = "".join(traceback.format_exception(failed.value))
        assert table.name in told
        assert not any(secret in told for secret in (salt.decode(), SECRET_WORDS, CLIENT))


def test_no_unexpected_error_tells_words(app: Flask, caplog: Any) -> None:
    @app.get("/api/failing")
    def failing() -> str:
        try:
            return str(int(request.args["q"]))
        except ValueError as error:
            raise KeyError(request.args["q"]) from error

    caplog.set_level(logging.DEBUG)
    assert client_of(app).get("/api/failing", query_string={"q": SECRET_WORDS}).status_code == 500
    assert "in failing" in caplog.text and "builtins.ValueError" in caplog.text and "builtins.KeyError" in caplog.text
    assert "zanzibarq" not in caplog.text


# ---- names ----


@pytest.mark.every_database
def test_without_its_salt_a_name_leads_to_nobody(database: Database) -> None:
    log, at_ms = EventLog(database), 680 * SPAN_MS
    log.record_events([EventRecord("click", client_id=CLIENT, timestamp_ms=at_ms + span * SPAN_MS) for span in (0, 1)])
    names = {record["client_id"] for record in log.export()}
    assert len(names) == 2
    with database.writing() as connection:
        assert set(pseudonyms_of(connection, CLIENT)) == names
        drop_old_salts(connection, at_ms + 2 * SPAN_MS)
        assert pseudonyms_of(connection, CLIENT) == []
    assert forget_client(log.database, CLIENT).events == 0


# ---- what was derived ----


def shown_and_clicked(database: Database, words: str, item: str, people: list[str]) -> None:
    log = EventLog(database)
    for number, name in enumerate(people):
        query_id = f"{words} {item} {number}"
        hits = (ShownHit(item, 1), ShownHit("other", 2))
        query = QueryRecord(query_id, words, name, application="shop", hits=hits, timestamp_ms=now_ms() - 1000)
        log.record_queries([query])
        log.record_events([EventRecord("click", query_id, name, object_id=item, position=1)])
    refresh_click_aggregates(database)


def derived(database: Database) -> dict[str, Any]:
    """All that the product derives from the log by itself, as it is on disk and as it would be counted now."""
    popularity = Popularity(database, 2)
    popularity.refresh()
    cells = read_click_aggregates(database)
    return {
        "rates": set(popularity.rates),
        "counts": set(popularity.counts),
        "searched": [words for words, _ in popularity.searched],
        "cells": set(cells.queries) | set(cells.items),
        "led": set(clicked_queries(database, fewest_clients=2)),
    }


@pytest.mark.every_database
def test_forgetting_somebody_changes_all_that_was_derived(database: Database, settings: Settings) -> None:
    people = [CLIENT, "p2"]
    shown_and_clicked(database, SECRET_WORDS, "vase", people)
    before = derived(database)
    assert "vase" in before["rates"] and SECRET_WORDS in before["searched"] and "vase" in before["led"]
    manifest = {"log_read_ms": now_ms()}
    for name in people:
        forget_client(database, name)
    assert SECRET_WORDS not in read_click_aggregates(database).queries  # before anything is counted again
    after = derived(database)
    assert all("vase" not in found and SECRET_WORDS not in found for found in after.values())
    assert is_stale(manifest, forgotten_at(database))
    assert SECRET_WORDS.encode() not in bytes_of(settings.home)


def test_who_has_their_visit_forgotten_leaves_nothing_behind(database: Database, settings: Settings) -> None:
    """What the page `/me` does: the same as `events forget`, by the visit's name."""
    log, visit = EventLog(database), "0123456789abcdef0123456789abcdef"
    hits = (ShownHit("vase", 1), ShownHit("other", 2))
    log.record_queries([QueryRecord("q1", SECRET_WORDS, session_id=visit, hits=hits, timestamp_ms=now_ms() - 1000)])
    log.record_events([EventRecord("click", "q1", session_id=visit, object_id="vase", position=1)])
    refresh_click_aggregates(database)
    assert SECRET_WORDS in read_click_aggregates(database).queries and SECRET_WORDS.encode() in bytes_of(settings.home)
    assert forget_session(database, visit) == Forgotten(1, 1)
    assert SECRET_WORDS not in read_click_aggregates(database).queries
    assert SECRET_WORDS.encode() not in bytes_of(settings.home)
    assert forgotten_at(database) > 0


@pytest.mark.every_database
def test_purging_changes_all_that_was_derived(database: Database, settings: Settings) -> None:
    shown_and_clicked(database, SECRET_WORDS, "vase", ["p1", "p2"])
    purge(database, datetime.now(UTC))
    assert SECRET_WORDS.encode() not in bytes_of(settings.home)
    assert not any(derived(database).values())


@pytest.mark.every_database
def test_what_one_person_typed_reaches_nobody(database: Database) -> None:
    shown_and_clicked(database, SECRET_WORDS, "vase", [CLIENT] * 30)
    shown_and_clicked(database, "red vase", "vase", ["p1", "p2", "p3", "p4", "p5"])
    assert [words for words, _ in shared_queries(database, 0, 2)] == ["red vase"]
    assert [one.text for one in clicked_queries(database)["vase"]] == ["red vase"]
    popularity = Popularity(database, 2)
    popularity.refresh()
    assert SECRET_WORDS not in [words for words, _ in popularity.searched]


def test_what_an_older_magpie_kept_is_dropped(settings: Settings) -> None:
    fields = {"theme": "kept", **TRACES}
    database = open_database(settings)
    with database.writing() as connection:
        record = QueryRecord("q1", "red", query_attributes=fields, extra=fields)
        connection.execute(insert(queries).values(**query_values(record)))
        connection.execute(
            insert(events).values(**event_values(EventRecord("click", event_attributes=fields), b"1" * 16))
        )
        undo_origins(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0007_items_since'"))
    database.close()
    assert ADDRESS.encode() in bytes_of(settings.home)
    database = open_database(settings)
    asked, done = EventLog(database).export()
    database.close()
    left = {"theme": "kept", "context": [{"request": {"theme": "dark mode kept"}}]}
    assert asked["query_attributes"] == done["event_attributes"] == left and asked["context"] == left["context"]
    copy = settings.home / f"magpie.db.before-{HEAD}"
    assert ADDRESS.encode() in copy.read_bytes()
    copy.unlink()
    found = bytes_of(settings.home)
    assert ADDRESS.encode() not in found and AGENT.encode() not in found
