"""Recommendations: alike, chosen together, to one's taste, never what was bought, and something new for strangers."""

from collections.abc import Iterator

import numpy as np
import pytest
from flask import Flask

from magpie.data.aggregates.item_counts import ItemCount
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import Database
from magpie.data.errors import ItemNotFound
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.personalisation.popularity import click_rates
from magpie.search.recommendations.candidate_models import NEW_EVERY, Mix, diversify, together_scores
from magpie.search.recommendations.recommender import Recommendation, Recommender
from magpie.web.app import create_app
from tests.support.chosen import choose
from tests.support.serving import backend_of
from tests.support.shop import COLOURS
from tests.web.api.test_api import stored


@pytest.fixture
def recommender(own_shop: Settings, shop_database: Database) -> Iterator[Recommender]:
    engine = SearchEngine(own_shop, shop_database)
    yield Recommender(shop_database, Catalogue(shop_database, own_shop), engine)
    engine.close()


def ids(found: Recommendation) -> list[str]:
    return [hit.item_id for hit in found.result.hits]


def test_beside_an_item_stands_what_is_like_it(recommender: Recommender) -> None:
    found = ids(recommender.beside("ring-blue", 6))
    assert len(found) == 6 and "ring-blue" not in found
    assert all("ring" in item or "blue" in item for item in found[:3])
    with pytest.raises(ItemNotFound, match="nothing"):
        recommender.beside("nothing")


def test_what_people_chose_together_comes_up(recommender: Recommender, shop_database: Database) -> None:
    before = ids(recommender.beside("ring-blue", 30))
    far = before[-1]
    choose(shop_database, "ring-blue", far, session_id="s1")
    assert far not in ids(recommender.beside("ring-blue", 30))[:2]  # nobody alone brings an item to the front
    for number in range(6):
        choose(shop_database, "ring-blue", far, session_id=f"t{number}")
    assert ids(recommender.beside("ring-blue", 30)).index(far) < 5
    choose(shop_database, far, client_id="c1", action_name="purchase")
    found = recommender.beside("ring-blue", 30, client_id="c1")
    assert far not in ids(found)


def test_together_counts_people_against_how_many_choose_either() -> None:
    counts = {"a": ItemCount(0, 0, 10), "b": ItemCount(0, 0, 10), "c": ItemCount(0, 0, 1000)}
    scores = together_scores({"b": 5, "c": 5}, "a", counts, doubt=2)
    assert scores["b"] == pytest.approx(5 / 15 * 4.2 / 7)
    assert scores["c"] == pytest.approx(5 / (15 * 1005) ** 0.5 * 4.2 / 7)
    assert together_scores({"b": 1}, "a", {}, 2)["b"] == pytest.approx(1 / 6 * 0.2 / 3)


def test_what_people_choose_next_decides_how_likeness_and_co_clicks_are_mixed(
    recommender: Recommender, shop_database: Database
) -> None:
    assert recommender.learn() == Mix()  # nobody chose anything yet
    some = list(COLOURS)[:3]
    for number in range(60):  # what goes together does not look alike
        choose(shop_database, f"ring-{some[number % 3]}", f"box-{some[(number + 1) % 3]}", session_id=f"s{number}")
    mix = recommender.learn()
    assert mix.likeness is not None and mix.likeness <= 0.1
    assert ids(recommender.beside(f"ring-{some[0]}", 5))[0] == f"box-{some[1]}"


def test_taste_decides_and_what_was_chosen_is_left_out(recommender: Recommender, shop_database: Database) -> None:
    choose(shop_database, "ball-red", "ball-blue", client_id="c1", session_id="x")
    choose(shop_database, "ball-green", client_id="c1", action_name="purchase")
    found = recommender.for_person("c1", k=8)
    assert found.result.ranker == "recommend-taste" and len(found.result.hits) == 8
    assert not {"ball-red", "ball-blue", "ball-green"} & set(ids(found))
    assert sum("ball" in item for item in ids(found)) >= 3
    alone = ids(recommender.for_person("", "x", k=8))  # a session does as well
    assert "ball-green" in alone and sum("ball" in item for item in alone) >= 3


def test_what_was_bought_long_ago_never_comes_back(recommender: Recommender, shop_database: Database) -> None:
    choose(shop_database, "ball-green", client_id="c1", action_name="purchase")
    choose(shop_database, "ball-red", client_id="c1")
    for _ in range(5):  # more choices since than are read for the taste, of more items than count in it
        choose(shop_database, *(f"{kind}-{colour}" for kind in ("box", "ring") for colour in COLOURS), client_id="c1")
    assert "ball-green" not in ids(recommender.beside("ball-blue", 30, client_id="c1"))
    found = ids(recommender.for_person("c1", k=30))
    assert len(found) > 5
    assert not [item for item in found if item.startswith(("box-", "ring-")) or item in ("ball-green", "ball-red")]


def test_who_chose_everything_alike_gets_what_is_popular_but_nothing_bought(
    recommender: Recommender, shop_database: Database
) -> None:
    everything = [hit.item_id for hit in recommender.for_person("stranger", k=40).result.hits]
    choose(shop_database, *everything[1:], client_id="c1", action_name="purchase")
    assert set(ids(recommender.for_person("c1", k=40))) <= set(everything[:1])


def test_a_stranger_gets_what_is_popular_and_something_new(recommender: Recommender, shop_database: Database) -> None:
    log = EventLog(shop_database)
    shown = tuple(ShownHit(item, place) for place, item in enumerate(("box-red", "kite-blue", "plate-red"), 1))
    for number in range(25):
        log.record_queries([QueryRecord(f"q{number}", "x", hits=shown)])
    for number in range(9):
        choose(shop_database, "kite-blue", client_id=f"c{number}")
    choose(shop_database, *["box-red"] * 30, client_id="spammer")
    found = recommender.for_person("stranger", k=10)
    assert found.result.ranker == "recommend-popular" and ids(found)[:2] == ["kite-blue", "box-red"]
    assert found.new_positions == (NEW_EVERY, 2 * NEW_EVERY)
    fresh = [ids(found)[position - 1] for position in found.new_positions]
    assert not {"box-red", "kite-blue", "plate-red"} & set(fresh)
    assert ids(found) == ids(recommender.for_person("stranger", k=10))
    others = {tuple(ids(recommender.for_person(f"stranger-{n}", k=10))) for n in range(5)}
    assert len(others) > 1
    assert recommender.for_person("", k=10).new_positions == ()


def test_without_any_clicks_the_newest_come(recommender: Recommender) -> None:
    found = recommender.for_person("", k=5)
    assert len(found.result.hits) == 5 and len(set(ids(found))) == 5


def test_rates_are_people_per_look_drawn_to_the_mean() -> None:
    counts = {"a": ItemCount(10, 10.0, 4), "b": ItemCount(30, 30.0, 0), "c": ItemCount(0, 0.0, 1)}
    usual = 5 / 40
    assert click_rates(counts) == {
        "a": pytest.approx((4 + 10 * usual) / (10 + 10)), "c": pytest.approx((1 + 10 * usual) / (1 + 10)),
    }  # fmt: skip


def test_diversity_passes_over_what_is_the_same() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert diversify(np.array([1.0, 0.95, 0.6]), vectors, 3).tolist() == [0, 2, 1]
    assert diversify(np.zeros(0), np.zeros((0, 2)), 3).tolist() == []


# ---- served ----


@pytest.fixture
def own_app(own_shop: Settings) -> Iterator[Flask]:
    app = create_app(own_shop)
    yield app
    app.extensions["magpie"].close()


def test_recommendations_over_http(own_app: Flask, own_shop: Settings) -> None:
    client = backend_of(own_app)
    events = [{"action_name": "click", "client_id": "c1", "event_attributes": {"object": {"object_id": "box-red"}}}]
    assert client.post("/api/events", json=events).status_code == 200
    answer = client.get("/api/recommend?client_id=c1&k=4").get_json()
    assert answer["ranker"] == "recommend-taste" and len(answer["hits"]) == 4
    assert client.get("/api/recommend").status_code == 422
    assert client.get("/api/recommend?item=nothing").status_code == 404
    private = client.get("/api/recommend?client_id=c1&k=4", headers={"Sec-GPC": "1"}).get_json()
    assert private["ranker"] == "recommend-popular"
    client.get("/api/recommend?item=box-red&k=4")
    own_app.extensions["magpie"].query_log.close()
    (logged,) = [one for one in stored(own_shop) if "user_query" in one]
    assert logged["query_id"] == answer["query_id"]
    assert logged["query_response_hit_ids"] == [hit["item_id"] for hit in answer["hits"]]
