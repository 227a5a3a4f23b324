"""Many names that one place makes up: they move an item no further among what strangers are recommended than one person
could, whether they search or not, and whether they have cookies or not."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.middleware.identity import VISIT_COOKIE
from tests.support.serving import backend_of, client_of

TARGET = "plate-black"
MADE_UP = 40


@pytest.fixture
def app(own_shop: Settings) -> Iterator[Flask]:
    """A shop whose backend told of sixty people, who searched twice, and chose something of every other answer."""
    never = {"explore_share": 0.0, "explore_new_share": 0.0}
    opened = create_app(own_shop.model_copy(update=never))
    backend, chance = backend_of(opened), random.Random(1)
    for number in range(60):
        who = {"client_id": f"person-{number}", "session_id": f"person-{number}-s"}
        for is_choosing in (False, True):
            asked = {"query": chance.choice(("red ball", "blue box", "red box", "blue ball")), "k": 24, **who}
            answer = backend.post("/api/search", json=asked).get_json()
            if is_choosing:
                choose(backend, answer["query_id"], who, [chance.choice(answer["hits"][:12])["item_id"]])
    yield opened
    opened.extensions["magpie"].close()


def choose(client: Any, query_id: str, who: dict[str, str], items: list[str], **how: Any) -> None:
    events = [
        {"action_name": "click", "query_id": query_id, **who, "event_attributes": {"object": {"object_id": item}}}
        for item in items
    ]
    assert client.post("/api/events", json=events, **how).get_json()["accepted"] == len(items)


def place_of_target(app: Flask) -> int:
    """Its place among what a stranger is recommended, counted anew; 99 where it is not there."""
    opened = app.extensions["magpie"]
    opened.query_log.settle()
    opened.engine.popularity.refresh()
    hits = client_of(app).get("/api/recommend?client_id=new&k=20").get_json()["hits"]
    return next((hit["position"] for hit in hits if hit["item_id"] == TARGET), 99)


def attack(app: Flask, is_searching: bool, has_cookie: bool, address: str) -> None:
    """Names that all choose the target, from addresses made with their number."""
    for number in range(MADE_UP):
        client, who = client_of(app), {"client_id": f"made-up-{number}"}
        how: dict[str, Any] = {"environ_base": {"REMOTE_ADDR": address.format(number)}}
        if has_cookie:
            visit = client.get("/", **how).get_data(as_text=True).split('data-visit="')[1].split('"')[0]
            client.set_cookie(VISIT_COOKIE, visit)
            who = {"session_id": visit.split(".")[0]}
        query_id = ""
        if is_searching:
            asked = {"query": "black plate", "k": 24, **who}
            query_id = client.post("/api/search", json=asked, **how).get_json()["query_id"]
        choose(client, query_id, who, [TARGET], **how)


@pytest.mark.parametrize("has_cookie", [False, True])
@pytest.mark.parametrize("address", ["192.0.2.7", "192.0.2.{}", "2001:db8:1:{}::1"])
def test_no_place_is_bought_from_one_place(app: Flask, has_cookie: bool, address: str) -> None:
    honest = place_of_target(app)
    attack(app, is_searching=False, has_cookie=has_cookie, address=address)
    assert place_of_target(app) == honest
    attack(app, is_searching=True, has_cookie=has_cookie, address=address)
    assert place_of_target(app) > 10


def test_a_token_vouches_for_them(app: Flask) -> None:
    backend = backend_of(app)
    for number in range(MADE_UP):
        choose(backend, "", {"client_id": f"till-{number}"}, [TARGET])
    assert place_of_target(app) == 1
