"""What strangers make up moves nothing that others are shown: choices without a search, many names, few addresses."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from magpie.data.aggregates.click_aggregates import (
    SEARCHES_OF_BLOCK,
    SEARCHES_PER_ACTOR,
    read_click_aggregates,
    refresh_click_aggregates,
)
from magpie.data.aggregates.co_clicks import count_co_clicks
from magpie.data.aggregates.counted_choices import EXPOSURE_OF_BLOCK, PEOPLE_OF_BLOCK
from magpie.data.aggregates.item_counts import ItemCount, count_items, count_places
from magpie.data.aggregates.recent_choices import chosen_items, read_recent_choices
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, queries
from magpie.data.events.event_log import EventLog
from magpie.data.events.origin import VOUCHED, Origin, origin_of
from magpie.data.events.pseudonyms import SPAN_MS
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit

pytestmark = pytest.mark.every_database

SHOWN = ("a", "b")
UNPROVED, PROVED = origin_of("192.0.2.7", False), origin_of("192.0.2.7", True)


def act(
    database: Database,
    name: str,
    chosen: Sequence[str],
    origin: Origin,
    shown: Sequence[str] = SHOWN,
    **fields: str,
) -> None:
    """A search of somebody who was shown some items, if any, and chose some."""
    log = EventLog(database)
    hits = tuple(ShownHit(item, place) for place, item in enumerate(shown, 1))
    query_id = f"q-{name}" if shown else ""
    who = {"client_id": name, "session_id": f"{name}-s"} | fields
    if shown:
        log.record_queries([QueryRecord(query_id, "red ball", hits=hits, origin=origin, **who)])
    log.record_events(
        [
            EventRecord("click", query_id, object_id=item, event_id=f"{name}-{item}", origin=origin, **who)
            for item in chosen
        ]
    )


def people(database: Database) -> dict[str, int]:
    return {item: count.people for item, count in count_items(database, 0).items() if count.people}


@pytest.mark.parametrize(
    ("origin", "counted"), [(UNPROVED, {}), (PROVED, {}), (VOUCHED, {"a": 40})], ids=["unproved", "proved", "vouched"]
)
def test_choices_without_a_search_count_only_where_a_token_vouches(
    database: Database, origin: Origin, counted: dict[str, int]
) -> None:
    for number in range(40):
        act(database, f"c{number}", ["a"], origin, shown=())
    assert people(database) == counted


def test_a_choice_counts_only_of_what_the_search_showed(database: Database) -> None:
    act(database, "c1", ["a", "elsewhere"], PROVED)
    assert people(database) == {"a": 1}


def test_all_names_of_an_address_that_prove_nothing_are_one(database: Database) -> None:
    for number in range(40):
        act(database, f"c{number}", ["a", "b"], UNPROVED)
    assert people(database) == {"a": 1, "b": 1}
    assert count_co_clicks(database, "a") == {"b": 1}


def test_many_cookies_of_one_address_are_one_person(database: Database) -> None:
    for number in range(40):
        act(database, f"c{number}", ["a", "b"], PROVED)
    assert people(database) == {"a": 1, "b": 1} and count_co_clicks(database, "a") == {"b": 1}


def test_one_block_of_addresses_weighs_no_more_than_a_few_people(database: Database) -> None:
    for number in range(40):
        act(database, f"c{number}", ["a", "b"], origin_of(f"192.0.2.{number}", number % 2 == 0))
    assert people(database) == {"a": PEOPLE_OF_BLOCK, "b": PEOPLE_OF_BLOCK}
    assert count_co_clicks(database, "a") == {"b": PEOPLE_OF_BLOCK}
    act(database, "elsewhere", ["a", "b"], origin_of("198.51.100.1", False))
    act(database, "by token", ["a", "b"], VOUCHED)
    assert people(database) == {"a": PEOPLE_OF_BLOCK + 2, "b": PEOPLE_OF_BLOCK + 2}
    assert count_co_clicks(database, "a") == {"b": PEOPLE_OF_BLOCK + 2}


def test_somebody_who_moves_is_one_person(database: Database) -> None:
    act(database, "c1", [], PROVED)
    for number in range(5):
        choice = EventRecord("click", "q-c1", "c1", object_id="a", event_id=str(number))
        EventLog(database).record_events([replace(choice, origin=origin_of(f"10.0.{number}.1", True))])
    assert people(database) == {"a": 1}


def test_looking_away_from_one_block_costs_an_item_no_more_than_its_share(database: Database) -> None:
    for number in range(50):
        act(database, f"c{number}", [], UNPROVED)
    assert count_items(database, 0)["a"] == ItemCount(50, 50.0, 0, 50.0 - EXPOSURE_OF_BLOCK)
    act(database, "by token", [], VOUCHED)
    assert count_items(database, 0)["a"] == ItemCount(51, 51.0, 0, 50.0 - EXPOSURE_OF_BLOCK)


def test_places_are_counted_within_the_same_bounds(database: Database) -> None:
    for number in range(50):
        act(database, f"c{number}", ["a"], UNPROVED)
        act(database, f"t{number}", ["b"], VOUCHED)
    counted = {(one.item_id, one.position): (one.impressions, one.clicks) for one in count_places(database, 0)}
    assert counted == {("a", 1): (50 + EXPOSURE_OF_BLOCK, PEOPLE_OF_BLOCK), ("b", 2): (50 + EXPOSURE_OF_BLOCK, 50)}


def test_learning_takes_a_few_searches_of_an_address_and_of_a_block(database: Database) -> None:
    for number in range(20):
        act(database, f"c{number}", ["a"], UNPROVED)
        act(database, f"d{number}", ["a"], PROVED)
    assert refresh_click_aggregates(database).searches == SEARCHES_PER_ACTOR
    for number in range(20):
        act(database, f"b{number}", ["a"], origin_of(f"192.0.2.{number}", True))
    assert refresh_click_aggregates(database).searches == SEARCHES_OF_BLOCK
    for number in range(20):
        act(database, f"e{number}", ["a"], VOUCHED)
    assert refresh_click_aggregates(database).searches == SEARCHES_OF_BLOCK + 20
    assert read_click_aggregates(database).num_clicks == SEARCHES_OF_BLOCK + 20


def test_what_is_sent_in_somebodys_name_without_a_proof_is_not_theirs(
    database: Database, catalogue: Catalogue, tmp_path: Path
) -> None:
    catalogue.upsert([ItemDraft(item_id=name, title=name) for name in SHOWN], tmp_path)
    act(database, "c1", ["a"], UNPROVED, session_id="s1")
    assert read_recent_choices(database, "s1", "c1") == [] and chosen_items(database, "s1", "c1") == set()
    act(database, "c1", ["b"], VOUCHED, shown=(), session_id="s1")
    (found,) = read_recent_choices(database, "s1", "c1")
    assert chosen_items(database, "s1", "c1") == {found.id} == set(catalogue.ids_of(["b"]).values())


def test_an_address_is_kept_as_a_hash_under_a_salt_that_changes(database: Database) -> None:
    log = EventLog(database)
    for number, days in enumerate((0, 0, 45)):
        at = now_ms() - days * 86_400_000
        log.record_queries([QueryRecord(f"q{number}", "x", timestamp_ms=at, origin=UNPROVED)])
        log.record_events([EventRecord("click", f"q{number}", timestamp_ms=at, event_id=str(number), origin=PROVED)])
    with database.reading() as connection:
        searched = connection.execute(select(queries.c.address, queries.c.block).order_by(queries.c.id)).all()
        done = connection.execute(select(events.c.address, events.c.block).order_by(events.c.id)).all()
    assert (
        all(len(text) == 32 and int(text, 16) for row in searched for text in row) and searched[0][0] != searched[0][1]
    )
    assert searched[0] == searched[1] and not set(searched[0]) & set(searched[2]) and SPAN_MS < 45 * 86_400_000
    assert done == searched
    assert "192.0.2" not in str([*log.export()])


@pytest.mark.parametrize(
    ("address", "other", "same_line", "same_block"),
    [
        ("192.0.2.7", "192.0.2.8", False, True),
        ("192.0.2.7", "192.0.3.7", False, False),
        ("192.0.2.7", "::ffff:192.0.2.7", True, True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True, True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False, True),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", False, False),
        ("", "unix", False, False),
    ],
)
def test_addresses_and_their_blocks(address: str, other: str, same_line: bool, same_block: bool) -> None:
    one, two = origin_of(address, False), origin_of(other, False)
    assert (one.address == two.address, one.block == two.block) == (same_line, same_block)
    assert one.block and two.block and not VOUCHED.block and VOUCHED.is_proved and not one.is_proved
