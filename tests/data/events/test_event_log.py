"""The click log: every acknowledged event is kept once, comes out as it came in, and can be forgotten."""

import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from magpie.data.clock import now_ms
from magpie.data.database.connection import MIGRATIONS, Database, open_database
from magpie.data.erasure.erase import Forgotten, forget_client, forgotten_at, purge
from magpie.data.errors import BadEvent
from magpie.data.events.event_log import EventLog, LogCounts
from magpie.data.events.pseudonyms import SPAN_MS, SPANS_KEPT, is_pseudonym, pseudonyms_of
from magpie.data.events.ubi import (
    EventRecord,
    QueryRecord,
    ShownHit,
    event_to_ubi,
    parse_event,
    parse_query,
    query_to_ubi,
)
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import filter_spam

pytestmark = pytest.mark.every_database

QUERY: dict[str, Any] = {
    "query_id": "q1",
    "user_query": "rote Schuhe 赤",
    "client_id": "c1",
    "session_id": "s1",
    "timestamp": "2026-11-23T10:00:00Z",
    "application": "shop",
    "query_response_hit_ids": ["a", "b"],
    "query_attributes": {"explore": "swap", "swapped": [1, 2]},
}
EVENT: dict[str, Any] = {
    "action_name": "click",
    "query_id": "q1",
    "client_id": "c1",
    "session_id": "s1",
    "timestamp": "2026-11-23T10:00:05.250Z",
    "event_attributes": {"object": {"object_id": "b"}, "position": {"ordinal": 2}, "check": {"n": 1}},
}


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


def test_what_comes_in_goes_out(log: EventLog) -> None:
    assert log.record_queries([parse_query(QUERY)]) == LogCounts(1, 0)
    assert log.record_events([parse_event(EVENT)]) == LogCounts(1, 0)
    query, event = log.export()
    name = query["client_id"]
    assert is_pseudonym(name)
    assert [query, event] == [QUERY | {"client_id": name}, EVENT | {"client_id": name}]


def test_fields_that_ubi_does_not_name_are_kept(log: EventLog) -> None:
    strange = EVENT | {"event_id": "e1", "message": "m", "message_type": "t", "shop_floor": {"x": [1, None]}}
    log.record_events([parse_event(strange)])
    (exported,) = log.export()
    assert exported == strange | {"client_id": exported["client_id"]}


def test_hits_keep_what_the_ranker_knew(log: EventLog) -> None:
    hits = (ShownHit("a", 11, 1.5, 0.25, {"text": 0.5}), ShownHit("b", 12))
    log.record_queries([QueryRecord("q", "x", hits=hits, timestamp_ms=1_790_000_000_000)])
    (exported,) = log.export()
    assert exported["query_response_hit_ids"] == ["a", "b"]
    assert parse_query(exported).hits == hits


def test_the_same_event_again_counts_once(log: EventLog) -> None:
    named = [parse_event(EVENT | {"event_id": "e1", "message": text}) for text in ("once", "again")]
    assert log.record_events(named) == LogCounts(1, 1)
    assert log.record_events([named[0], parse_event(EVENT), parse_event(EVENT)]) == LogCounts(1, 2)
    assert [event.get("message") for event in log.export()] == ["once", None]  # the first one stays
    assert log.record_queries([parse_query(QUERY), parse_query(QUERY | {"user_query": "other"})]) == LogCounts(1, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"action_name": "view"},
        {"query_id": "q2"},
        {"client_id": "c2"},
        {"session_id": "s2"},
        {"application": "x"},
        {"timestamp": "2026-11-23T10:00:05.251Z"},
        {"event_attributes": {"object": {"object_id": "b"}, "position": {"ordinal": 2}, "check": {"n": 2}}},
        {"event_attributes": {"object": {"object_id": "c"}, "position": {"ordinal": 2}, "check": {"n": 1}}},
        {"event_attributes": {"object": {"object_id": "b"}, "position": {"ordinal": 3}, "check": {"n": 1}}},
        {"message": "x"},
        {"message_type": "x"},
        {"other": 1},
    ],
)
def test_two_events_that_differ_in_anything_are_two(log: EventLog, changed: dict[str, Any]) -> None:
    assert log.record_events([parse_event(EVENT), parse_event(EVENT | changed)]) == LogCounts(2, 0)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"action_name": None}, "action_name: is needed"),
        ({"action_name": ""}, "action_name: is needed"),
        ({"action_name": 3}, "action_name: must be a text"),
        ({"action_name": "x" * 129}, "action_name: has 129 characters"),
        ({"query_id": ["q"]}, "query_id: must be a text"),
        ({"timestamp": None}, "timestamp: is needed"),
        ({"timestamp": "yesterday"}, "timestamp: 'yesterday' is no time"),
        ({"timestamp": 5}, "timestamp: '5' is no time"),
        ({"timestamp": "1969-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"event_attributes": []}, "event_attributes: must be an object"),
        ({"event_attributes": {"object": "a"}}, "event_attributes: object and position"),
        ({"event_attributes": {"object": {"object_id": {}}}}, r"event_attributes\.object\.object_id: must be a text"),
        (
            {"event_attributes": {"position": {"ordinal": 0}}},
            r"event_attributes\.position\.ordinal: must be a position",
        ),
        ({"event_attributes": {"position": {"ordinal": "1"}}}, "ordinal"),
        ({"event_attributes": {"x": "y" * 40_000}}, "event_attributes: is longer"),
        ({"event_attributes": {"x": float("nan")}}, "not JSON"),
        ({"message": "\0"}, "NUL"),
        ({"message": "\ud800"}, "UTF-8"),
        ({"x": "y" * 40_000}, "x: longer than"),
        ({"set_aside": True}, "set_aside"),
    ],
)
def test_a_bad_event_names_the_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(BadEvent, match=field):
        parse_event({name: value for name, value in (EVENT | changed).items() if value is not None})


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"query_id": ""}, "query_id: is needed"),
        ({"user_query": "x" * 10_001}, "user_query: has 10001 characters"),
        ({"query_response_hit_ids": "a"}, "query_response_hit_ids: must be a list"),
        ({"query_response_hit_ids": [None]}, "query_response_hit_ids: 'None' is no item id"),
        ({"query_response_hits": [{"object_id": "a", "score": "high"}]}, "query_response_hits: score"),
        ({"query_response_hits": [{"object_id": "a", "ordinal": 1}] * 2}, "two hits have the same position"),
    ],
)
def test_a_bad_query_names_the_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(BadEvent, match=field):
        parse_query(QUERY | changed)


@pytest.mark.parametrize("raw", [None, 3, "click", [EVENT], b"x"])
def test_what_is_no_object_is_refused(raw: object) -> None:
    for parse in (parse_event, parse_query):
        with pytest.raises(BadEvent, match="must be a JSON object"):
            parse(raw)


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("2026-11-23T12:00:00+02:00", "2026-11-23T10:00:00Z"),
        ("2026-11-23 10:00:00.001", "2026-11-23T10:00:00.001Z"),
        ("2026-11-23T10:00:00.999999Z", "2026-11-23T10:00:00.999Z"),
        (1_790_000_000_123, "2026-09-21T14:13:20.123Z"),
    ],
)
def test_times_are_kept_to_the_millisecond(given_time: object, expected: str) -> None:
    assert event_to_ubi(parse_event(EVENT | {"timestamp": given_time}))["timestamp"] == expected


def test_the_time_of_arrival_stands_in_where_allowed() -> None:
    without = {name: value for name, value in EVENT.items() if name != "timestamp"}
    assert parse_event(without, received_ms=1_790_000_000_000).timestamp_ms == 1_790_000_000_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(extra=st.dictionaries(st.text(max_size=5), JSON, max_size=4), attributes=st.dictionaries(st.text(), JSON))
def test_every_event_that_is_taken_comes_out_the_same(extra: dict[str, Any], attributes: dict[str, Any]) -> None:
    for raw, parse, show in ((EVENT, parse_event, event_to_ubi), (QUERY, parse_query, query_to_ubi)):
        name = "event_attributes" if parse is parse_event else "query_attributes"
        try:
            record = parse(extra | raw | {name: attributes})
        except BadEvent:
            continue
        assert parse(json.loads(json.dumps(show(record)))) == record  # type: ignore[operator]


# ---- NDJSON files ----------------------------------------------------------------------------------------------------
def write_log(path: Path, *lines: object) -> Path:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(encoded))
    return path


def test_a_log_file_is_taken_line_by_line(log: EventLog, tmp_path: Path) -> None:
    aside = EVENT | {"event_id": "e9", "set_aside": "flood"}
    bad = [b"{broken", b"\xff", b"[]", {"query_id": "x"}, EVENT | {"timestamp": "never"}, b"[" * 100_000]
    path = write_log(tmp_path / "log.ndjson", QUERY, EVENT, EVENT, b"", aside, *bad, QUERY)
    counts = log.import_lines(path, tmp_path / "rejects", filter_spam)
    rejects_file = Path(counts.pop("rejects_file"))
    assert counts == {"queries": 1, "events": 2, "duplicates": 2, "set_aside": 1, "rejected": 6}
    entries = [json.loads(line) for line in rejects_file.read_text("utf-8").split("\n")[:-1]]
    assert [entry["line"] for entry in entries] == [6, 7, 8, 9, 10, 11]
    assert all(entry["reason"] and entry["row"] for entry in entries)
    assert log.counts() == {"queries": 1, "events": 2, "set_aside": 1}


def test_an_export_imported_again_is_all_duplicates(log: EventLog, tmp_path: Path) -> None:
    log.record_queries([parse_query(QUERY | {"query_id": f"q{n}"}) for n in range(4_500)])
    log.record_events([parse_event(EVENT | {"query_id": f"q{n}"}) for n in range(4_500)])
    log.record_events([parse_event(EVENT | {"event_id": "e", "set_aside": "bot"})])
    path = write_log(tmp_path / "all.ndjson", *log.export())
    counts = log.import_lines(path, tmp_path / "rejects", filter_spam)
    assert counts == {
        "queries": 0, "events": 0, "duplicates": 9_001, "set_aside": 0, "rejected": 0, "rejects_file": None,
    }  # fmt: skip


def test_a_log_that_is_not_there_says_so(log: EventLog, tmp_path: Path) -> None:
    with pytest.raises(BadEvent, match=r"nothing\.ndjson: cannot be read"):
        log.import_lines(tmp_path / "nothing.ndjson", tmp_path, filter_spam)


# ---- forgetting ------------------------------------------------------------------------------------------------------
def test_purging_deletes_what_is_older(log: EventLog) -> None:
    for day in ("01", "15", "30"):
        log.record_queries([parse_query(QUERY | {"query_id": day, "timestamp": f"2026-11-{day}T00:00:00Z"})])
        log.record_events([parse_event(EVENT | {"query_id": day, "timestamp": f"2026-11-{day}T00:00:01Z"})])
    assert purge(log.database, datetime(2026, 11, 15, 0, 0, 1, tzinfo=UTC)) == Forgotten(queries=2, events=1)
    assert [record["query_id"] for record in log.export()] == ["30", "15", "30"]


def test_forgetting_a_client_leaves_no_trace(log: EventLog) -> None:
    log.record_queries([parse_query(QUERY), parse_query(QUERY | {"query_id": "q2", "client_id": "c2"})])
    log.record_events([parse_event(EVENT), parse_event(EVENT | {"client_id": "c2", "query_id": "q2"})])
    log.record_events([parse_event(EVENT | {"client_id": "c3"})])  # clicked in c1's search
    assert forget_client(log.database, "c1") == Forgotten(queries=1, events=2)
    assert '"c1"' not in json.dumps(list(log.export()))
    with log.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM impressions").scalar() == 2
    assert forget_client(log.database, "c1") == Forgotten(0, 0)


# ---- pseudonyms ------------------------------------------------------------------------------------------------------
def at(span: int, **fields: Any) -> EventRecord:
    return EventRecord("click", timestamp_ms=span * SPAN_MS + 5, **fields)


def clients(log: EventLog) -> list[str]:
    return [record.get("client_id", "") for record in log.export()]


def test_a_client_has_one_name_within_a_span_and_another_in_the_next(log: EventLog) -> None:
    log.record_events([at(680, client_id="c1"), at(680, client_id="c1", object_id="a"), at(680, client_id="c2")])
    log.record_events([at(681, client_id="c1"), at(680)])
    first, again, other, later, nobody = clients(log)
    assert first == again and len({first, other, later}) == 3 and nobody == ""
    with log.database.reading() as connection:
        assert pseudonyms_of(connection, "c1") == [later, first]
        assert pseudonyms_of(connection, first) == [first] and pseudonyms_of(connection, "") == []


def test_the_same_event_is_the_same_under_any_name(log: EventLog) -> None:
    for span in (680, 681):
        assert log.record_events([at(span, client_id="c1")]) == LogCounts(1, 0)
        assert log.record_events([at(span, client_id="c1")]) == LogCounts(0, 1)
        (*_, exported) = log.export()
        assert log.record_events([parse_event(exported)]) == LogCounts(0, 1)


def test_forgetting_reaches_back_over_all_spans(log: EventLog) -> None:
    log.record_events([at(span, client_id=client) for span in (679, 680, 681) for client in ("c1", "c2")])
    assert forget_client(log.database, "c1") == Forgotten(0, 3)
    assert forget_client(log.database, clients(log)[0]) == Forgotten(0, 1)  # a name out of an export stands for itself
    assert len(clients(log)) == 2


def test_purging_throws_away_the_salts_of_what_is_gone(log: EventLog) -> None:
    log.record_events([at(680, client_id="c1"), at(681, client_id="c1")])
    assert forgotten_at(log.database) == 0
    purge(log.database, datetime.fromtimestamp(681 * SPAN_MS / 1000, UTC))
    with log.database.reading() as connection:
        assert pseudonyms_of(connection, "c1") == clients(log)
    assert forgotten_at(log.database) > 1_700_000_000_000


def test_a_new_span_throws_away_salts_older_than_half_a_year(log: EventLog) -> None:
    now = now_ms() // SPAN_MS
    log.record_events([at(now - SPANS_KEPT, client_id="c1"), at(now - SPANS_KEPT + 1, client_id="c1")])
    log.record_events([at(now, client_id="c1")])
    with log.database.reading() as connection:
        assert len(pseudonyms_of(connection, "c1")) == 2
    assert forget_client(log.database, "c1") == Forgotten(0, 2)
    assert len(clients(log)) == 1  # whose the last one is, nobody knows


# ---- safety ----------------------------------------------------------------------------------------------------------
def test_an_acknowledged_event_survives_kill_9(settings: Settings, log: EventLog) -> None:
    code = (
        "import itertools, sys; from pathlib import Path; from magpie.data.settings import Settings\n"
        "from magpie.data.database.connection import open_database; from magpie.data.events.event_log import *\n"
        f"log = EventLog(open_database(Settings(home=Path({str(settings.home)!r}))))\n"
        "for n in itertools.count():\n"
        "    log.record_events([EventRecord('click', event_attributes={'n': n})]); print(n, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        for line in writer.stdout:
            if int(line) >= 30:
                writer.send_signal(signal.SIGKILL)
                break
        acknowledged = max([30, *map(int, writer.stdout.read().split())])
    kept = [event["event_attributes"]["n"] for event in log.export()]
    assert kept[: acknowledged + 1] == list(range(acknowledged + 1))


def test_threads_lose_no_events(log: EventLog) -> None:
    def record(thread: int) -> None:
        for n in range(15):
            log.record_events([EventRecord("click", client_id=f"c{thread}", event_id=f"{thread}-{n % 10}")])

    threads = [threading.Thread(target=record, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.counts()["events"] == 6 * 10


def test_a_log_of_before_pseudonyms_gets_them(settings: Settings, backend: str, request: pytest.FixtureRequest) -> None:
    if backend == "postgresql":
        settings = settings.model_copy(update={"database_url": request.getfixturevalue("empty_postgresql_url")})
    settings.home.mkdir(parents=True)
    engine = create_engine(settings.database)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = "action_name, query_id, client_id, session_id, application, timestamp, object_id, event_attributes"
        columns += ", message_type, message, extra, reason, event_id, dedup_key"
        for number, client in enumerate(("c1", "c1", "c2", "")):
            values = f"'click', '', '{client}', '', '', {10**12 + number}, '', '{{}}', '', '', '{{}}', '', '', :key"
            connection.execute(text(f"INSERT INTO events ({columns}) VALUES ({values})"), {"key": bytes([number])})
    engine.dispose()
    database = open_database(settings)
    log = EventLog(database)
    first, again, other, nobody = clients(log)
    assert is_pseudonym(first) and first == again != other and nobody == ""
    assert forget_client(log.database, "c1") == Forgotten(0, 2)
    database.close()
