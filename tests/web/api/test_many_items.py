"""Items as programs need them: changing parts, many at once, listing and deleting, by filters as in a search."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from magpie.data.catalogue.listing import MAX_GONE, Cursor, parse_cursor
from magpie.data.errors import BadInput
from magpie.data.settings import Settings
from magpie.web.api.item_schemas import MAX_BULK_LINES
from magpie.web.app import create_app
from tests.support.serving import client_of

BOX = {
    "title": "Birch box", "description": "A box.", "category": "Home > Boxes", "price": 12.5, "currency": "EUR",
    "url": "https://shop.example/1", "attributes": {"brand": "B1", "code": "007", "sizes": ["S", "M"], "stock": 3},
}  # fmt: skip


@pytest.fixture
def app(own_shop: Settings) -> Iterator[Flask]:
    opened = create_app(own_shop)
    yield opened
    opened.extensions["magpie"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app)


def without_time(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "updated_at"}


def lines(client: FlaskClient, *sent: Any) -> list[dict[str, Any]]:
    body = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in sent)
    answer = client.patch("/api/items", data=body.encode(), content_type="application/x-ndjson")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson"), answer.data[:300]
    return [json.loads(line) for line in answer.data.splitlines()]


def pages(
    client: FlaskClient, limit: int = 1000, filters: str = "", between: Callable[[int, list[str]], None] | None = None
) -> list[str]:
    """The ids of all pages; `between` is called after each with its number and the ids so far."""
    listed: list[str] = []
    cursor, number = "", 0
    while True:
        at = f"&cursor={quote(cursor)}" if cursor else ""
        answer = client.get(f"/api/items?limit={limit}{at}{filters}")
        assert answer.status_code == 200, answer.data
        page = answer.get_json()
        assert len(page["items"]) <= limit
        listed += [item["item_id"] for item in page["items"]]
        number += 1
        if between:
            between(number, listed)
        if page["next_cursor"] is None:
            return listed
        cursor = page["next_cursor"]


# ---- changing parts ----


@pytest.mark.parametrize("kind", ["application/merge-patch+json", "application/json"])
def test_a_patch_changes_what_it_names_and_nothing_else(client: FlaskClient, kind: str) -> None:
    before = client.put("/api/items/box", json=BOX).get_json()
    answer = client.patch("/api/items/box", data=json.dumps({"price": 9}), content_type=kind)
    assert answer.status_code == 200
    assert without_time(answer.get_json()) == without_time({**before, "price": 9.0})
    again = client.get("/api/items/box")
    assert answer.get_json() == again.get_json() and answer.headers["ETag"] == again.headers["ETag"]


def test_null_takes_out_and_attributes_merge(client: FlaskClient) -> None:
    client.put("/api/items/box", json=BOX)
    sent = {"attributes": {"brand": None, "stock": 7, "made": "2026-01-31", "never": None}, "description": None}
    item = client.patch("/api/items/box", json={**sent, "price": None, "url": None}).get_json()
    assert item["attributes"] == {"code": "007", "sizes": ["S", "M"], "stock": 7, "made": "2026-01-31"}
    assert (item["description"], item["price"], item["url"], item["title"]) == ("", None, "", "Birch box")
    assert client.patch("/api/items/box", json={"attributes": {"code": ""}}).get_json()["attributes"].keys() == {
        "sizes", "stock", "made",
    }  # fmt: skip
    assert client.patch("/api/items/box", json={"attributes": None}).get_json()["attributes"] == {}


def test_stored_values_are_merged_as_they_came(client: FlaskClient) -> None:
    """What is typed for showing, such as 7 for "7", isn't written back."""
    for number in range(30):
        client.put(f"/api/items/n-{number}", json={"title": f"N {number}", "attributes": {"rank": str(number)}})
    assert client.patch("/api/items/n-7", json={"price": 1}).get_json()["attributes"] == {"rank": 7}
    client.post(
        "/api/items", json=[{"item_id": f"n-{k}", "title": "N", "attributes": {"rank": "x y"}} for k in range(7)]
    )
    client.post(
        "/api/items", json=[{"item_id": f"w-{k}", "title": "W", "attributes": {"rank": "z"}} for k in range(40)]
    )
    assert client.get("/api/items/n-7").get_json()["attributes"] == {"rank": "7"}


def test_true_is_not_one(client: FlaskClient) -> None:
    client.put("/api/items/box", json={"title": "x", "attributes": {"new": 1}})
    assert [one["result"] for one in lines(client, {"item_id": "box", "attributes": {"new": True}})] == ["updated"]
    assert [one["result"] for one in lines(client, {"item_id": "box", "attributes": {"new": True}})] == ["unchanged"]


def test_pictures_stay_and_go(client: FlaskClient) -> None:
    before = client.get("/api/items/ball-red").get_json()
    assert before["images"]
    assert lines(client, {"item_id": "ball-red", "price": before["price"]})[0]["result"] == "unchanged"
    after = client.patch("/api/items/ball-red", json={"price": 1}).get_json()
    assert without_time(after) == without_time({**before, "price": 1.0})
    assert client.patch("/api/items/ball-red", json={"images": None}).get_json()["images"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"price": "ten"}, "price"),
        ({"price": -1}, "price"),
        ({"price": True}, "price"),
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"no_such_field": 1}, "no_such_field"),
        ({"attributes": 5}, "attributes"),
        ({"attributes": {"a": {"b": 1}}}, "attributes"),
        ({"attributes": {"a": [1]}}, "a"),
        ({"attributes": {"title": "x"}}, "title"),
        ({"attributes": {f"a{k}": 1 for k in range(1001)}}, "1000"),
        ({"description": "x" * 2_000_000}, "description"),
        ({"title": "a\0b"}, "NUL"),
        ({"item_id": "other"}, "item_id"),
        ({"images": ["/etc/passwd"]}, "images"),
        ({"images": ["https://127.0.0.1/x.png"]}, "images"),
        ([1], "object"),
        ("x", "object"),
        (None, "object"),
    ],
)
def test_a_wrong_patch_changes_nothing(client: FlaskClient, body: Any, words: str) -> None:
    before = client.put("/api/items/box", json=BOX).get_json()
    answer = client.patch("/api/items/box", data=json.dumps(body), content_type="application/merge-patch+json")
    assert answer.status_code in (400, 422) and words in answer.get_json()["detail"]
    assert client.get("/api/items/box").get_json() == before


def test_a_patch_of_nothing_or_of_another_kind(client: FlaskClient) -> None:
    assert client.patch("/api/items/nobody", json={"price": 1}).status_code == 404
    assert client.patch("/api/items/ball-red", data=b"{broken", content_type="application/json").status_code == 400
    assert client.patch("/api/items/ball-red", data=b"{}", content_type="text/plain").status_code == 415
    assert (
        client.patch("/api/items/ball-red", data=b"[]", content_type="application/json-patch+json").status_code == 415
    )
    assert client.patch("/api/items/ball-red?force=1", json={}).status_code == 400
    assert client.get("/api/items/ball-red?fields=title").status_code == 400


def test_of_two_writers_with_one_etag_one_wins(client: FlaskClient) -> None:
    etag = client.get("/api/items/ball-red").headers["ETag"]
    first = client.patch("/api/items/ball-red", json={"price": 1}, headers={"If-Match": etag})
    second = client.patch("/api/items/ball-red", json={"price": 2}, headers={"If-Match": etag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert client.get("/api/items/ball-red").get_json()["price"] == 1
    fresh = client.patch("/api/items/ball-red", json={"price": 2}, headers={"If-Match": first.headers["ETag"]})
    assert fresh.status_code == 200


def test_patches_at_the_same_time_lose_nothing(app: Flask, client: FlaskClient) -> None:
    client.put("/api/items/box", json={"title": "x"})

    def patch(number: int) -> None:
        own = client_of(app)
        for step in range(5):
            assert own.patch("/api/items/box", json={"attributes": {f"{number}-{step}": step}}).status_code == 200

    threads = [threading.Thread(target=patch, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.get("/api/items/box").get_json()["attributes"]) == 4 * 5


def test_lines_are_answered_in_order_each_by_itself(client: FlaskClient) -> None:
    client.post("/api/items", json=[{**BOX, "item_id": f"b-{k}"} for k in range(3)])
    answers = lines(
        client,
        {"item_id": "b-0", "price": 1},
        {"item_id": "nobody", "price": 1},
        {"item_id": "b-1", "price": "ten"},
        {"item_id": "b-2", "price": 12.5},
        {"price": 5},
        "{broken",
        "[1]",
        {"item_id": "b-0", "attributes": {"brand": None}},
        {"item_id": "b-1", "attributes": {"title": "x"}},
        {"item_id": "b-2", "title": "New"},
        {"item_id": "b\0", "title": "New"},
    )
    results = [
        "updated",
        "rejected",
        "rejected",
        "unchanged",
        *["rejected"] * 3,
        "updated",
        "rejected",
        "updated",
        "rejected",
    ]
    assert [one["result"] for one in answers] == results and [one["line"] for one in answers] == list(range(1, 12))
    assert [one.get("item_id") for one in answers[:4]] == ["b-0", "nobody", "b-1", "b-2"]
    assert all(one.get("detail") for one in answers if one["result"] == "rejected")
    first, second, third = (client.get(f"/api/items/b-{k}").get_json() for k in range(3))
    assert first["price"] == 1 and "brand" not in first["attributes"]
    assert (second["price"], second["attributes"]) == (12.5, BOX["attributes"]) and third["title"] == "New"


def test_lines_have_bounds(client: FlaskClient) -> None:
    too_many = b'{"item_id": "x"}\n' * (MAX_BULK_LINES + 1)
    for data, kind, status in (
        (too_many, "application/x-ndjson", 413),
        (b"\n \n", "application/x-ndjson", 400),
        (b"[]", "application/json", 415),
    ):
        assert client.patch("/api/items", data=data, content_type=kind).status_code == status


# ---- listing ----


def test_the_listing_has_each_item_as_it_is_alone(client: FlaskClient) -> None:
    listed = pages(client, limit=7)
    found = client.get("/api/items?limit=1000").get_json()
    assert [item["item_id"] for item in found["items"]] == listed and found["next_cursor"] is None
    assert len(set(listed)) == len(listed) > 20
    for item in found["items"][:5]:
        assert client.get("/api/items/" + quote(item["item_id"], safe="")).get_json() == item
    assert len(client.get("/api/items?limit=1").get_json()["items"]) == 1


@pytest.mark.parametrize("filters", ["", "&filter=price:0.."])
def test_each_item_comes_once_whatever_is_written_meanwhile(client: FlaskClient, filters: str) -> None:
    client.post("/api/items", json=[{"item_id": f"m-{k}", "title": f"M {k}", "price": k} for k in range(30)])
    there = pages(client, filters=filters)
    later = [item_id for item_id in there if item_id.startswith("m-")]

    def write(number: int, listed: list[str]) -> None:
        if number != 2:
            return
        for item_id in listed[:2] + later[-2:]:  # listed ones and others are deleted, and put again
            item = client.get("/api/items/" + quote(item_id, safe="")).get_json()
            client.delete("/api/items/" + quote(item_id, safe=""))
            client.put("/api/items/" + quote(item_id, safe=""), json={"title": item["title"], "price": 5})
        client.patch(f"/api/items/{later[0]}", json={"price": 77})
        client.patch("/api/items/" + quote(listed[3], safe=""), json={"price": 78})
        client.delete(f"/api/items/{later[1]}")

    counted = Counter(pages(client, limit=5, filters=filters, between=write))
    assert set(counted) == set(there) - {later[1]} and set(counted.values()) == {1}


@pytest.mark.parametrize(
    "parameters",
    [
        "limit=0", "limit=1001", "limit=x", "cursor=", "cursor=nonsense", "cursor=1.1.%0A", "cursor=-1.1.", "unknown=1",
        "cursor=1.ffffffff.", "filter=", "filter=no_such_field:1", "filter=price:1O..20", "filter=:x",
    ],
)  # fmt: skip
def test_a_wrong_listing_is_refused(client: FlaskClient, parameters: str) -> None:
    answer = client.get(f"/api/items?{parameters}")
    assert answer.status_code in (400, 422) and answer.get_json()["detail"]


def test_a_cursor_survives_the_way_through_an_address() -> None:
    cursor = Cursor(12, 1 << 40, tuple(range(MAX_GONE)))
    assert parse_cursor(str(cursor)) == cursor and len(quote(str(cursor))) < 8_000
    for text in ("1.2.3\n", "1.2", "1.2.3-", "1.2.-3", "١.2.", str(Cursor(1, 1, tuple(range(MAX_GONE + 1))))):
        with pytest.raises(BadInput, match="cursor"):
            parse_cursor(text)


# ---- by filters ----


FILTERS = ["colour:red", "-colour:red", "colour:red&filter=colour:blue", "price:10..20", "colour:*", "-price:*"]


@pytest.mark.parametrize("written", FILTERS)
def test_filters_are_those_of_a_search(client: FlaskClient, written: str) -> None:
    searched = client.get(f"/api/search?filter={written}&k=1000&facets=false").get_json()
    listed = pages(client, limit=9, filters=f"&filter={written}")
    assert sorted(listed) == sorted(hit["item_id"] for hit in searched["hits"]) and listed
    answer = client.delete(f"/api/items?filter={written}")
    assert answer.get_json() == {"deleted": len(listed)} and pages(client, filters=f"&filter={written}") == []
    assert client.delete(f"/api/items?filter={written}").get_json() == {"deleted": 0}


def test_what_was_just_changed_counts(client: FlaskClient) -> None:
    """No index has seen it yet: filters are answered from the catalogue where it changed."""
    red = pages(client, filters="&filter=colour:red")
    client.put("/api/items/fresh", json={"title": "Fresh", "attributes": {"colour": "red", "novelty": "great"}})
    client.patch("/api/items/" + red[0], json={"attributes": {"colour": "mauve"}})
    client.delete("/api/items/" + red[1])
    assert pages(client, filters="&filter=colour:red") == [*red[2:], "fresh"]
    assert pages(client, filters="&filter=novelty:great") == ["fresh"]
    assert client.delete("/api/items?filter=colour:red").get_json() == {"deleted": len(red) - 1}
    assert client.get("/api/items/fresh").status_code == 404 and client.get("/api/items/" + red[0]).status_code == 200


def test_what_changes_while_it_is_deleted_is_looked_at_again(app: Flask, client: FlaskClient) -> None:
    opened = app.extensions["magpie"]
    red = pages(client, filters="&filter=colour:red")
    passing = opened.engine.passing({"colour": "red"})
    client.patch("/api/items/" + red[0], json={"attributes": {"colour": "mauve"}})
    assert opened.catalogue.delete_unchanged(passing.ids.tolist(), passing.revision) == len(red) - 1
    assert client.get("/api/items/" + red[0]).status_code == 200


# ---- deleting ----


def test_a_list_of_ids_is_deleted(client: FlaskClient) -> None:
    client.post("/api/items", json=[{"item_id": f"d-{k}", "title": "x"} for k in range(3)])
    answer = client.delete("/api/items?item_id=d-0&item_id=d-1&item_id=d-1&item_id=nobody")
    assert (answer.status_code, answer.get_json()) == (200, {"deleted": 2})
    assert [client.get(f"/api/items/d-{k}").status_code for k in range(3)] == [404, 404, 200]


@pytest.mark.parametrize(
    "parameters",
    [
        "", "filter=", "filter=no_such_field:1", "filter=price:1O..20", "unknown=1", "item_id=", "limit=5",
        "item_id=a%00b",
        "item_id=ball-red&filter=colour:red", "item_id=ball-red&unknown=1", "item_id=ball-red&item_id=",
        "filter=colour:red&filter=no_such_field:1", "filter=colour", "filter=colour:*&filter=-colour:*",
    ],
)  # fmt: skip
def test_a_wrong_deletion_deletes_nothing(client: FlaskClient, parameters: str) -> None:
    before = pages(client)
    answer = client.delete(f"/api/items?{parameters}")
    assert answer.status_code in (400, 422) and answer.get_json()["detail"]
    assert pages(client) == before


def test_writing_needs_the_right_to(client: FlaskClient) -> None:
    before = pages(client)
    away = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}}
    assert client.patch("/api/items/ball-red", json={"price": 1}, **away).status_code == 401
    line = b'{"item_id": "ball-red", "price": 1}'
    assert client.patch("/api/items", data=line, content_type="application/x-ndjson", **away).status_code == 401
    assert client.delete("/api/items?item_id=ball-red", **away).status_code == 401
    assert client.delete("/api/items", **away).status_code == 401
    assert client.get("/api/items", **away).status_code == 200 and pages(client) == before
