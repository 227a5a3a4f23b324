"""From the click log to counts: what is set aside, what counts how often, and what is derived anew."""

from datetime import UTC, datetime

import pytest

from magpie.data.aggregates.click_aggregates import ClickAggregates, read_click_aggregates, refresh_click_aggregates
from magpie.data.aggregates.clicked_queries import clicked_queries
from magpie.data.database.connection import Database
from magpie.data.erasure.erase import forget_client, purge
from magpie.data.events.event_log import EventLog
from magpie.data.events.filter_reasons import BOT, EVERYTHING, FLOOD, NOT_SHOWN, TOO_EARLY
from magpie.data.events.query_normalisation import query_key
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit, parse_query, query_to_ubi
from magpie.data.spam.click_spam import count_filtered, filter_spam

pytestmark = pytest.mark.every_database

NOON = int(datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp() * 1000)
DAY = 86_400_000


def searched(
    number: int, client: str = "c", text: str = "red ball", at: int = NOON, **attributes: object
) -> QueryRecord:
    hits = tuple(ShownHit(item, place) for place, item in enumerate(("a", "b", "c", "d", "e", "f"), 1))
    return QueryRecord(f"q{number}", text, client, timestamp_ms=at, hits=hits, query_attributes=attributes)


def clicked(number: int, item: str, client: str = "c", at: int = NOON + 5_000, action: str = "click") -> EventRecord:
    return EventRecord(action, f"q{number}", client, timestamp_ms=at, object_id=item)


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database)


def counted(database: Database) -> ClickAggregates:
    refresh_click_aggregates(database)
    return read_click_aggregates(database)


def rows(cells: ClickAggregates) -> set[tuple[str, int, int, int, int]]:
    """(item, position, after, impressions, clicks) of each cell."""
    columns = (cells.position, cells.after, cells.impressions, cells.clicks)
    return {(cells.items[item], *map(int, rest)) for item, *rest in zip(cells.item, *columns, strict=True)}


def test_spellings_of_a_query_have_one_key() -> None:
    assert query_key("  Cafe\u0301   TABLE ") == "caf\u00e9 table" == query_key("Caf\u00e9 table")


def test_impressions_and_clicks_are_counted_by_position(log: EventLog, database: Database) -> None:
    log.record_queries([searched(1), searched(2)])
    log.record_events([clicked(1, "b"), clicked(1, "b", at=NOON + 9_000), clicked(1, "d", action="purchase")])
    cells = counted(database)
    assert {("a", 1, 0, 2, 0), ("b", 2, 0, 2, 1), ("c", 3, 2, 1, 0), ("c", 3, 0, 1, 0), ("d", 4, 2, 1, 1)} <= rows(
        cells
    )
    assert int(cells.conversions.sum()) == 1
    aim = cells.with_conversions(2.5)
    assert {item: aim.clicks[aim.item == cells.items.index(item)].sum() for item in "bd"} == {"b": 1, "d": 3.5}
    assert cells.queries == ["red ball"]


def test_one_source_weighs_three_searches_a_day(log: EventLog, database: Database) -> None:
    log.record_queries([searched(number) for number in range(5)] + [searched(9, client="other")])
    assert refresh_click_aggregates(database).capped == 2
    assert int(read_click_aggregates(database).impressions.sum()) == 4 * 6


def test_only_words_by_relevance_count(log: EventLog, database: Database) -> None:
    log.record_queries(
        [searched(1, like="x"), searched(2, sort="price"), searched(3, typing=True), searched(4, text="")]
    )
    assert not len(counted(database))


def test_a_day_is_counted_anew_when_its_log_changes(log: EventLog, database: Database) -> None:
    log.record_queries([searched(1), searched(2, client="d", at=NOON + DAY)])
    assert counted(database).num_clicks == 0
    log.record_events([clicked(1, "a", at=NOON + 2 * DAY)])
    assert counted(database).num_clicks == 1
    forget_client(log.database, "c")
    assert int(counted(database).impressions.sum()) == 6
    purge(log.database, datetime(2027, 1, 1, tzinfo=UTC))
    assert not len(counted(database))


def test_floods_and_bots_are_set_aside(log: EventLog, database: Database) -> None:
    log.record_queries([searched(number, client="busy", at=NOON + number * 1_000) for number in range(101)])
    robot = query_to_ubi(searched(200, client="robot", user_agent="Examplebot/1.0"))
    log.record_queries([parse_query(robot), searched(201, client="person")])
    log.record_events([clicked(5, "a", client="busy"), clicked(201, "a", client="person")])
    log.record_events([clicked(200, "a", client="robot"), clicked(200, "b", client="robot", action="purchase")])
    found = filter_spam(database)
    assert found[FLOOD] == 102
    assert found[BOT] == 2 and count_filtered(database)[BOT] == 3
    assert count_filtered(database)[FLOOD] == 102
    assert rows(counted(database)) >= {("a", 1, 0, 1, 1)}
    assert filter_spam(database)[FLOOD] == 0


def test_impossible_clicks_are_set_aside(log: EventLog, database: Database) -> None:
    log.record_queries([searched(1), searched(2)])
    log.record_events([clicked(1, "never shown"), clicked(1, "a", at=NOON - 3_600_000), clicked(1, "b")])
    log.record_events([clicked(2, item) for item in "abcdef"])
    found = filter_spam(database)
    assert (found[NOT_SHOWN], found[TOO_EARLY], found[EVERYTHING]) == (1, 1, 7)
    assert counted(database).num_clicks == 1


def test_what_is_set_aside_stays_in_the_export_with_its_reason(log: EventLog, database: Database) -> None:
    log.record_queries([searched(1)])
    log.record_events([clicked(1, "never shown")])
    filter_spam(database)
    assert [line.get("set_aside") for line in log.export()] == [None, NOT_SHOWN]


def test_queries_of_too_few_people_lead_nowhere(log: EventLog, database: Database) -> None:
    people = [f"person {number}" for number in range(5)]
    log.record_queries([searched(number, client=name) for number, name in enumerate(people)])
    log.record_queries([searched(number, client="one", text="my own") for number in (10, 11, 12)])
    log.record_events([clicked(number, "d", client=name) for number, name in enumerate(people)])
    log.record_events([clicked(number, "e", client="one") for number in (10, 11, 12)])
    found = clicked_queries(database)
    assert {item: [one.text for one in led] for item, led in found.items()} == {"d": ["red ball"]}
    assert found["d"][0].weight > 0
    assert clicked_queries(database, fewest_clients=6) == {}
