"""Items that change while they are searched: two writers, many lines at once, and what survives the server's death."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of, serving

pytestmark = pytest.mark.slow

NDJSON = "application/x-ndjson"


@pytest.fixture
def own_app(own_shop: Settings) -> Iterator[Flask]:
    app = create_app(own_shop)
    yield app
    app.extensions["magpie"].close()


def test_the_second_of_two_writers_is_told(own_app: Flask) -> None:
    one, other = client_of(own_app), client_of(own_app)
    read = one.get("/api/items/ball-red").headers["ETag"]
    assert other.put("/api/items/ball-red", json={"title": "Ball"}, headers={"If-Match": read}).status_code == 200
    refused = one.put("/api/items/ball-red", json={"title": "Red"}, headers={"If-Match": read})
    assert refused.status_code == 412 and "If-Match" in refused.get_json()["detail"]
    now = one.get("/api/items/ball-red")
    assert now.get_json()["title"] == "Ball" and now.headers["ETag"] != read
    assert one.delete("/api/items/ball-red", headers={"If-Match": read}).status_code == 412
    assert one.delete("/api/items/ball-red", headers={"If-Match": now.headers["ETag"]}).status_code == 204


def test_an_item_is_made_or_replaced_only_where_that_is_wanted(own_app: Flask) -> None:
    client, body = client_of(own_app), {"title": "Thing"}
    assert client.put("/api/items/new", json=body, headers={"If-Match": "*"}).status_code == 412
    assert client.put("/api/items/new", json=body, headers={"If-None-Match": "*"}).status_code == 201
    assert client.put("/api/items/new", json=body, headers={"If-None-Match": "*"}).status_code == 412
    assert client.put("/api/items/new", json=body, headers={"If-Match": "*"}).status_code == 200


def test_what_did_not_change_is_not_sent_again(own_app: Flask) -> None:
    client = client_of(own_app)
    tag = client.put("/api/items/new", json={"title": "Thing"}).headers["ETag"]
    unchanged = client.get("/api/items/new", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert client.put("/api/items/new", json={"title": "Thing"}).headers["ETag"] == tag
    assert client.put("/api/items/new", json={"title": "Another"}).headers["ETag"] != tag
    assert client.get("/api/items/new", headers={"If-None-Match": tag}).status_code == 200


def test_a_new_item_answers_before_the_index_has_it(own_app: Flask) -> None:
    client, opened = client_of(own_app), own_app.extensions["magpie"]
    assert client.get("/api/items/ball-red/similar").get_json()["hits"]  # the index is open
    opened.stopping.set()
    for thread in opened.background:
        thread.join()
    assert client.put("/api/items/new", json={"title": "Zorblatt umbrella"}).status_code == 201
    page = client.get("/item?id=new")
    assert page.status_code == 200 and "Zorblatt umbrella" in page.text
    similar = client.get("/api/items/new/similar")
    assert similar.status_code == 200 and similar.get_json()["hits"] == []
    assert "in the index yet" in similar.get_json()["notices"][0]
    assert client.get("/api/recommend?item=new").status_code == 200
    opened.engine.refresh()
    taken_up = client.get("/api/items/new/similar").get_json()
    assert taken_up["hits"] and taken_up["notices"] == []
    assert client.get("/api/items/never/similar").status_code == 404 == client.get("/item?id=never").status_code


def test_a_made_again_item_is_another_version(own_app: Flask) -> None:
    client = client_of(own_app)
    tag = client.put("/api/items/new", json={"title": "Thing"}).headers["ETag"]
    client.delete("/api/items/new")
    client.put("/api/items/new", json={"title": "Thing"})
    assert client.delete("/api/items/new", headers={"If-Match": tag}).status_code == 412


def put_lines(app: Flask, *lines: str) -> list[dict[str, Any]]:
    answer = client_of(app).post("/api/items", data="\n".join(lines).encode(), content_type=NDJSON)
    assert (answer.status_code, answer.mimetype) == (200, NDJSON), answer.data
    return [json.loads(line) for line in answer.data.splitlines()]


def test_a_bad_line_costs_only_itself(own_app: Flask) -> None:
    results = put_lines(
        own_app,
        '{"item_id": "a", "title": "A"}',
        "no json",
        "",
        '{"item_id": "b"}',
        '{"item_id": "ball-red", "title": "Red ball, mended"}',
        '{"item_id": "a", "title": "A again"}',
        '{"item_id": "nul", "title": "\\u0000"}',
        '{"item_id": "c", "title": "C"}',
    )
    assert [(one["line"], one["result"]) for one in results] == [
        (1, "inserted"), (2, "rejected"), (4, "rejected"), (5, "updated"), (6, "rejected"), (7, "rejected"),
        (8, "inserted"),
    ]  # fmt: skip
    assert "title" in results[2]["detail"] and "line 1" in results[4]["detail"] and "NUL" in results[5]["detail"]
    client = client_of(own_app)
    assert [client.get(f"/api/items/{name}").status_code for name in "abc"] == [200, 404, 200]
    assert len(client.get("/api/items/ball-red").get_json()["images"]) == 1  # it keeps what it had


def test_too_many_lines_and_none_are_refused(own_app: Flask) -> None:
    client = client_of(own_app)
    many = b'{"item_id": "a", "title": "A"}\n' * 10_001
    assert client.post("/api/items", data=many, content_type=NDJSON).status_code == 413
    assert client.post("/api/items", data=b"\n", content_type=NDJSON).status_code == 400


def test_acknowledged_items_survive_kill_9(own_shop: Settings) -> None:
    lines = "".join(json.dumps({"item_id": f"kept-{n}", "title": f"Kept {n}"}) + "\n" for n in range(300))
    with serving(own_shop.home) as server:
        request = urllib.request.Request(
            f"{server.url}/api/items", lines.encode(), {"Content-Type": NDJSON}, method="POST"
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.read().count(b'"inserted"') == 300
        server.stop(signal.SIGKILL)
    database = open_database(own_shop)
    assert len(Catalogue(database, own_shop).ids_of([f"kept-{n}" for n in range(300)])) == 300
    database.close()
