"""Sums for the owner: what counts as a search, who counts as a person, and that few people are never told of."""

import pytest

from magpie.data.aggregates.demand_counts import DayCount, QueryCount, WordCount, count_days, count_queries, count_words
from magpie.data.aggregates.position_counts import PositionCount, count_positions
from magpie.data.aggregates.query_sessions import DAY_MS, read_searches
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.pseudonyms import SPAN_MS
from magpie.data.events.ubi import QueryRecord
from tests.support.insights_log import people, search

pytestmark = pytest.mark.every_database

TODAY = now_ms() // DAY_MS


def test_queries_are_summed_over_people(database: Database) -> None:
    search(database, "Red  Ball", people(3), clicked=1)
    search(database, "red ball", people(3, first=2))
    search(database, "purple ball", people(4), confident=False)
    search(database, "my secret", people(2), clicked=1)
    found = count_queries(read_searches(database, 0), min_people=3)
    assert found == [QueryCount("red ball", 6, 5, 3, 0), QueryCount("purple ball", 4, 4, 0, 4)]


def test_only_searches_count_as_searches(database: Database) -> None:
    search(database, "ball", people(2))
    search(database, "bal", people(2), typing=True)
    search(database, "ball", people(2), offset=24)
    search(database, "", people(2), ranker="recommend-taste")
    found = read_searches(database, 0)
    assert (len(found), found.num_people, found.queries) == (2, 2, ["ball"])


def test_what_is_set_aside_or_older_does_not_count(database: Database) -> None:
    aside = QueryRecord("q", "ball", "c1", filter_reason="bot")
    EventLog(database).record_queries([aside])
    search(database, "ball", people(1), days_ago=9)
    assert len(read_searches(database, now_ms() - 8 * DAY_MS)) == 0
    assert len(read_searches(database, 0)) == 1


def test_queries_that_tell_of_somebody_are_never_shown(database: Database) -> None:
    for words in ("me@home.example", "order 1234567", "x", "y" * 61):
        search(database, words, people(5))
    searches = read_searches(database, 0)
    assert count_queries(searches, 2) == [] and count_words(searches, 2) == []
    assert len(searches) == 20


def test_a_person_has_one_name_in_each_span_and_counts_once(database: Database) -> None:
    EventLog(database).record_queries(
        [QueryRecord(f"q{span}", "ball", "c1", timestamp_ms=span * SPAN_MS + 1) for span in range(3)]
    )
    assert count_queries(read_searches(database, 0), 1) == [QueryCount("ball", 3, 1, 0, 0)]


def test_a_visit_counts_where_no_client_is_known_and_nobody_counts_not(database: Database) -> None:
    log = EventLog(database)
    log.record_queries([QueryRecord(f"v{visit}", "ball", session_id=f"s{visit % 2}") for visit in range(4)])
    log.record_queries([QueryRecord(f"n{number}", "ball") for number in range(4)])
    found = read_searches(database, 0)
    assert (len(found), found.num_people) == (8, 2)


def test_days_of_too_few_people_are_hidden_and_days_without_searches_are_not(database: Database) -> None:
    search(database, "ball", people(3), clicked=2)
    search(database, "box", people(1), confident=False)
    search(database, "ball", people(2), days_ago=2)
    days = count_days(read_searches(database, 0), TODAY - 2, TODAY, min_people=3)
    assert [day for day in days if day.day == TODAY - 2] == [DayCount(TODAY - 2, None, None, None, None)]
    assert days[1:] == [DayCount(TODAY - 1, 0, 0, 0, 0), DayCount(TODAY, 4, 3, 3, 1)]


def test_words_are_summed_over_queries(database: Database) -> None:
    search(database, "red drone", people(2))
    search(database, "drone with camera", people(2, first=1))
    search(database, "camera", people(1))
    assert count_words(read_searches(database, 0), 3) == [WordCount("camera", 3, 3), WordCount("drone", 4, 3)]


def test_positions_count_what_words_alone_ranked(database: Database) -> None:
    search(database, "ball", people(4), clicked=2)
    search(database, "ball", people(4, first=4), sort="price", clicked=1)
    search(database, "ball", people(4, first=8), like="box-red", clicked=1)
    expected = [PositionCount(1, 4, 4, 0), PositionCount(2, 4, 4, 4), PositionCount(3, 4, 4, 0)]
    assert count_positions(database, 0, min_people=4) == expected
    assert count_positions(database, 0, min_people=5) == []


def test_a_hit_that_was_clicked_twice_counts_once(database: Database) -> None:
    search(database, "ball", people(2), clicked=1)
    search(database, "ball", people(2), clicked=1)
    assert count_positions(database, 0, 2)[0] == PositionCount(1, 2, 2, 2)
