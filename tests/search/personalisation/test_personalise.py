"""Session and person: what was chosen before moves hits, within bounds, and only for those who give a name."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from magpie.data.aggregates.recent_choices import BOUGHT, RecentChoice, chosen_items, read_recent_choices
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.personalisation.personalise import preferences_of
from magpie.search.request import SearchRequest, SearchResult
from tests.support.chosen import choose

DAY_MS = 86_400_000


@pytest.fixture
def engine(own_shop: Settings, shop_database: Database) -> Iterator[SearchEngine]:
    opened = SearchEngine(own_shop, shop_database)
    yield opened
    opened.close()


def ids(result: SearchResult) -> list[str]:
    return [hit.item_id for hit in result.hits]


def search(engine: SearchEngine, text: str, **fields: Any) -> SearchResult:
    return engine.search(SearchRequest(text=text, k=32, **fields))


def test_what_was_clicked_in_this_session_comes_up(engine: SearchEngine, shop_database: Database) -> None:
    plain = ids(search(engine, "ring", session_id="s1"))
    choose(shop_database, "ball-blue", "box-blue", "plate-blue", session_id="s1")
    moved = ids(search(engine, "ring", session_id="s1"))
    assert sorted(moved) == sorted(plain)
    assert moved.index("ring-blue") < plain.index("ring-blue") or moved[0] == "ring-blue"
    assert ids(search(engine, "ring", session_id="s2")) == ids(search(engine, "ring")) == plain
    assert ids(search(engine, "ring", session_id="s1", rerank=False)) == plain


def test_the_session_is_an_addend_of_the_score(engine: SearchEngine, shop_database: Database) -> None:
    choose(shop_database, "ball-blue", "box-blue", session_id="s1")
    hits = search(engine, "ring", session_id="s1", explain=True).hits
    for hit in hits:
        assert hit.explain is not None and hit.explain["session"] >= 0
        assert sum(hit.explain.values()) == pytest.approx(hit.score, abs=1e-5)
    assert max(hit.explain["session"] for hit in hits if hit.explain) > 0
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    plain = search(engine, "ring", explain=True).hits
    assert all("session" not in hit.explain for hit in plain if hit.explain)


def test_what_the_query_names_is_left_to_the_query(engine: SearchEngine, shop_database: Database) -> None:
    choose(shop_database, "ball-blue", "box-blue", "plate-blue", session_id="s1")
    assert ids(search(engine, "red ring", session_id="s1"))[0] == "ring-red"
    assert ids(search(engine, "ring", session_id="s1", filters={"colour": ["Red"]}))[0] == "ring-red"


def test_pages_continue_each_other_in_a_session(engine: SearchEngine, shop_database: Database) -> None:
    choose(shop_database, "ball-blue", "box-blue", session_id="s1")
    whole = ids(engine.search(SearchRequest(text="ring", k=20, session_id="s1")))
    parts = [ids(engine.search(SearchRequest(text="ring", k=10, offset=at, session_id="s1"))) for at in (0, 10)]
    assert whole == parts[0] + parts[1]


def test_other_sorts_are_left_alone(engine: SearchEngine, shop_database: Database) -> None:
    choose(shop_database, "ball-blue", session_id="s1")
    assert ids(search(engine, "ring", sort="-price", session_id="s1")) == ids(search(engine, "ring", sort="-price"))


def test_a_returning_client_is_known_under_any_name(own_shop: Settings, shop_database: Database) -> None:
    numbers = Catalogue(shop_database, own_shop).ids_of(["ball-blue", "box-red", "kite-red"])
    now = now_ms()
    choose(shop_database, "ball-blue", client_id="c1", session_id="old", timestamp_ms=now - 70 * DAY_MS)
    choose(shop_database, "box-red", client_id="c1", session_id="new", timestamp_ms=now, action_name="purchase")
    choose(shop_database, "kite-red", client_id="c2", session_id="other")
    choose(shop_database, "gone", client_id="c1")
    visits = read_recent_choices(shop_database, "new", "c1")
    assert [visit.id for visit in visits] == [numbers["box-red"], numbers["ball-blue"]]
    assert [visit.is_this_session for visit in visits] == [True, False]
    assert chosen_items(shop_database, "new", "c1", BOUGHT) == {numbers["box-red"]}
    assert chosen_items(shop_database, "", "c1") == {numbers["box-red"], numbers["ball-blue"]}
    assert read_recent_choices(shop_database, "", "") == []


def test_taste_fades() -> None:
    def earlier(id_: int, days: float) -> RecentChoice:
        return RecentChoice(id_, "click", int(-days * DAY_MS), False)

    preferences = preferences_of([earlier(1, 0), earlier(2, 30), earlier(3, 60), earlier(1, 60)], now_ms=0)
    assert preferences is not None
    assert list(preferences.ids) == [1, 2, 3]
    assert np.allclose(preferences.weights, [0.5, 0.5 * 0.5, 0.5 * 0.25])
    session = preferences_of(
        [RecentChoice(1, "click", 0, True), RecentChoice(2, "click", 0, True), RecentChoice(3, "purchase", 0, True)], 0
    )
    assert session is not None and np.allclose(session.weights, [1, 0.9, 2 * 0.81])
    assert preferences_of([], 0) is None


def test_visits_are_found_in_an_index(shop_database: Database) -> None:
    with shop_database.reading() as connection:
        for column in ("session_id", "client_id"):
            statement = f"EXPLAIN QUERY PLAN SELECT id FROM events WHERE {column} = 'x' ORDER BY id DESC LIMIT 60"
            plan = str(connection.exec_driver_sql(statement).all())
            assert f"INDEX ix_events_{column}" in plan and "TEMP B-TREE" not in plan
    choose(shop_database, *["box-red", "ball-red"] * 50, session_id="s", timestamp_ms=10**12)
    EventLog(shop_database).record_events(
        [EventRecord("click", session_id="s", object_id="box-red", timestamp_ms=10**12 + n) for n in range(100)]
    )
    assert len(read_recent_choices(shop_database, "s", "")) == 60
