"""The HTTP interface: answers, limits, problems, privacy, and who may write."""

import io
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from magpie.data.database.connection import open_database
from magpie.data.errors import BadFilter, NotTogether
from magpie.data.events.event_log import EventLog
from magpie.data.events.pseudonyms import is_pseudonym
from magpie.data.settings import Settings
from magpie.indexer.indexes.field_filter import FieldFilter, Span, written_span
from magpie.web.api.filter_notation import format_filter_parameters, parse_filter_parameters, parse_filters
from magpie.web.app import create_app
from magpie.web.page.state import MAX_PAGES, PageState
from magpie.web.page.view import MAX_CHIPS
from tests.support.serving import client_of, client_on_a_copy
from tests.support.shop import COLOURS, HOSTILE_ID, KINDS, PLAIN_ID


@pytest.fixture(scope="module")
def client(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The application on a copy of the shop, for tests that only read."""
    with client_on_a_copy(shop, tmp_path_factory.mktemp("api") / "home") as opened:
        yield opened


@pytest.fixture
def own_app(own_shop: Settings) -> Iterator[Flask]:
    """An application on a shop of its own, for tests that write."""
    app = create_app(own_shop)
    yield app
    app.extensions["magpie"].close()


def picture_of(client: FlaskClient, item_id: str) -> bytes:
    item = client.get("/api/items/" + item_id).get_json()
    return client.get(item["images"][0]["url"]).data


def post_picture(client: FlaskClient, content: bytes, **fields: Any) -> TestResponse:
    return client.post("/api/search", data={"image": (io.BytesIO(content), "p.jpg"), **fields})


def assert_problem(answer: TestResponse, status: int, *words: str) -> dict[str, Any]:
    """The problem's members, after checking that it is one, and that its detail says these words."""
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.data[:300]
    body: dict[str, Any] = answer.get_json()
    assert body["status"] == status and body["title"] and body["type"] == "about:blank"
    for word in words:
        assert word in body["detail"], body["detail"]
    return body


# ---- searching ----


def test_words_find_items_with_all_that_the_contract_names(client: FlaskClient) -> None:
    answer = client.get("/api/search?q=red+ball&k=5").get_json()
    assert {"query_id", "generation", "ranker", "took_ms", "total", "confident", "hits", "facets"} <= set(answer)
    assert answer["confident"] is True and answer["hits"][0]["item_id"] == "ball-red"
    assert [hit["position"] for hit in answer["hits"]] == list(range(1, len(answer["hits"]) + 1))
    hit = answer["hits"][0]
    assert hit["title"] == "Red ball" and hit["price"] == 5.0 and hit["attributes"]["year"] == 2010
    assert client.get(hit["image_url"]).mimetype == "image/jpeg"
    assert {"value": "Red", "count": 1} in answer["facets"]["colour"] or answer["total"] > 1


def test_the_address_and_the_body_ask_the_same(client: FlaskClient) -> None:
    by_address = client.get("/api/search?q=ball&k=4&filter=colour:Red&filter=colour:Blue&filter=price:..6&sort=-price")
    body = {"query": "ball", "k": 4, "filters": {"colour": ["Red", "Blue"], "price": {"lte": 6}}, "sort": "-price"}
    assert by_address.get_json()["hits"] == client.post("/api/search", json=body).get_json()["hits"]


def test_filters_and_ranges_narrow(client: FlaskClient) -> None:
    body = {"filters": {"kind": ["ring", "box"], "year": {"gte": 2012, "lt": 2014}}, "k": 50}
    hits = client.post("/api/search", json=body).get_json()["hits"]
    years = {hit["attributes"]["year"] for hit in hits}
    assert {hit["attributes"]["kind"] for hit in hits} == {"ring", "box"} and years == {2012, 2013}
    assert len(hits) == 2 * 2  # a year belongs to one colour of each kind


def test_the_values_of_a_field_come_by_pages(client: FlaskClient) -> None:
    hits = client.post("/api/search", json={"filters": {"price": {"gte": 0}}, "k": 1000}).get_json()["hits"]
    counts = Counter(str(hit["attributes"]["year"]) for hit in hits)
    expected = [{"value": year, "count": n} for year, n in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
    pages = [client.get(f"/api/facets/year?filter=price:0..&limit=3&offset={at}").get_json() for at in range(0, 99, 3)]
    assert [value for page in pages for value in page["values"]] == expected and len(expected) > 3
    assert {(page["field"], page["total"]) for page in pages} == {("year", len(expected))}


def test_the_values_of_a_field_are_counted_among_a_searchs_hits(client: FlaskClient) -> None:
    found = client.get("/api/search?q=ball&filter=colour:Red&filter=colour:Blue").get_json()
    values = client.get("/api/facets/kind?q=ball&filter=colour:Red&filter=colour:Blue").get_json()["values"]
    assert values and sum(one["count"] for one in values) == found["total"]
    assert {one["value"]: one["count"] for one in found["facets"]["kind"]} == {v["value"]: v["count"] for v in values}


def test_the_values_of_a_field_are_searched_by_the_beginning_of_a_word(client: FlaskClient) -> None:
    def values(prefix: str) -> list[str]:
        found = client.get("/api/facets/title", query_string={"prefix": prefix, "limit": 1000}).get_json()["values"]
        return [one["value"] for one in found]

    assert values("BALL") and all(value.endswith(" ball") for value in values("BALL"))
    assert values("red ba") == ["Red ball"] and values("all") == []


def test_bad_requests_for_the_values_of_a_field(client: FlaskClient) -> None:
    assert_problem(client.get("/api/facets/no_such"), 422, "'no_such'", "colour")
    assert_problem(client.get("/api/facets/colour?filter=no_such:1"), 422, "'no_such'")
    for bad in ("limit=0", "limit=1001", "offset=-1", "filter=colour", "limt=3"):
        assert_problem(client.get(f"/api/facets/colour?{bad}"), 400)


def test_pages_continue_each_other(client: FlaskClient) -> None:
    whole = client.post("/api/search", json={"query": "red", "k": 10}).get_json()["hits"]
    second = client.post("/api/search", json={"query": "red", "k": 5, "offset": 5}).get_json()["hits"]
    assert [hit["item_id"] for hit in whole[5:]] == [hit["item_id"] for hit in second]
    assert [hit["position"] for hit in second] == [6, 7, 8, 9, 10][: len(second)]


def test_a_picture_finds_what_looks_like_it(client: FlaskClient) -> None:
    answer = post_picture(client, picture_of(client, "box-green"), k="3").get_json()
    assert answer["hits"][0]["item_id"] == "box-green" and len(answer["hits"]) == 3


def test_a_picture_and_words_and_filters_go_together(client: FlaskClient) -> None:
    filters = json.dumps({"colour": ["Blue", "Red"]})
    answer = post_picture(client, picture_of(client, "ball-red"), query="in blue", k="5", filters=filters).get_json()
    assert answer["hits"] and {hit["attributes"]["colour"] for hit in answer["hits"]} <= {"Blue", "Red"}


def test_explained_addends_sum_to_the_score(client: FlaskClient) -> None:
    for hit in client.get("/api/search?q=yellow+ring&explain=true").get_json()["hits"]:
        assert sum(hit["explain"].values()) == pytest.approx(hit["score"], abs=1e-3)


def test_similar_items_leave_out_the_item_itself(client: FlaskClient) -> None:
    for address in ("/api/items/ring-blue/similar?k=4", "/api/recommend?item=ring-blue&k=4"):
        found = [hit["item_id"] for hit in client.get(address).get_json()["hits"]]
        assert len(found) == 4 and "ring-blue" not in found


def test_nonsense_is_answered_honestly(client: FlaskClient) -> None:
    assert client.get("/api/search?q=zzxqv+wqkjhd").get_json()["confident"] is False


def test_suggestions_complete_what_is_typed(client: FlaskClient) -> None:
    answer = client.get("/api/suggest?q=re").get_json()
    assert answer["suggestions"] and all("re" in one.lower() for one in answer["suggestions"])
    assert [one["text"] for one in answer["details"]] == answer["suggestions"]
    red = answer["details"][answer["suggestions"].index("red")]
    assert (red["kind"], red["field"]) == ("attribute", "colour") and client.get(red["image_url"]).status_code == 200
    assert client.get("/api/suggest?q=").get_json() == {"suggestions": [], "details": []}


def test_an_item_without_a_picture_says_so(client: FlaskClient) -> None:
    hits = client.get("/api/search?q=wooden+spoon&k=1").get_json()["hits"]
    assert hits[0]["item_id"] == PLAIN_ID and hits[0]["image_url"] is None


# ---- bad requests ----


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("q=x&k=abc", ["k:", "integer"]),
        ("q=x&k=0", ["k:", "1"]),
        ("q=x&k=1001", ["k:", "1000"]),
        ("q=x&offset=-1", ["offset:"]),
        ("q=" + "a" * 1001, ["q:", "1000"]),
        ("q=x&mode=magic", ["mode", "hybrid"]),
        ("q=x&colour=Red", ["colour", "unknown"]),
        ("q=x&filter=Red", ["filter", "colour:Red"]),
        ("q=x&image_weight=2", ["image_weight"]),
        ("q=x&explain=perhaps", ["explain"]),
    ],
)
def test_a_bad_address_names_the_field_and_the_remedy(client: FlaskClient, query: str, words: list[str]) -> None:
    assert_problem(client.get(f"/api/search?{query}"), 400, *words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("q=x&k=10&offset=9991", ["offset + k", "10000"]),
        ("", ["Nothing to search for", "q"]),
        ("q=+++", ["Nothing to search for"]),
        ("not=red", ["Nothing to search for"]),
        ("filter=colour:Red&not=red", ["only something to avoid"]),
        ("like=ball-red&mode=lexical", ["words"]),
        ("q=x&sort=nothing-like-it", ["sort", "nothing-like-it"]),
        ("q=x&filter=price:1..2&filter=price:3..4", ["price", "range"]),
        ("q=x&filter=colour:1..2", ["colour", "words"]),
        ("q=x&filter=nothing-like-it:Red", ["nothing-like-it"]),
    ],
)
def test_right_fields_that_have_no_answer_are_told_apart(client: FlaskClient, query: str, words: list[str]) -> None:
    assert_problem(client.get(f"/api/search?{query}"), 422, *words)


def test_a_body_that_asks_nothing_has_no_answer_either(client: FlaskClient) -> None:
    for body in ({}, {"query": " "}, {"filters": {}}, {"like": None}):
        assert_problem(client.post("/api/search", json=body), 422, "Nothing to search for")


def test_whole_numbers_may_come_with_a_point(own_app: Flask, own_shop: Settings) -> None:
    client = client_of(own_app)
    assert len(client.post("/api/search", json={"query": "red", "k": 2.0, "offset": 0.0}).get_json()["hits"]) == 2
    assert_problem(client.post("/api/search", json={"query": "red", "k": 2.5}), 400, "k:")
    event = {**CLICK, "timestamp": 1_790_000_000_000.0, "event_id": 7.0}
    event["event_attributes"] = {"object": {"object_id": 5.0}, "position": {"ordinal": 3.0}}
    assert client.post("/api/events", json=event).get_json()["accepted"] == 1
    (kept,) = [one for one in stored(own_shop) if one.get("action_name")]
    assert kept["event_id"] == "7" and kept["timestamp"] == "2026-09-21T14:13:20Z"
    assert_problem(client.post("/api/events", json={**CLICK, "timestamp": 1.5}), 400, "timestamp")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{not json", ["JSON"]),
        (b"", ["JSON"]),
        (b"[]", ["object"]),
        (b"\xff\xfe", ["JSON"]),
        (b'{"query": 5}', ["query:", "string"]),
        (b'{"query": "x", "k": "5"}', ["k:", "integer"]),
        (b'{"query": "x", "k": true}', ["k:"]),
        (b'{"query": "x", "page": 2}', ["page:", "unknown"]),
        (b'{"query": "x", "filters": {"year": {"near": 3}}}', ["filters.year", "near", "gte"]),
        (b'{"query": "x", "filters": {"year": {"gte": true}}}', ["filters.year.gte", "number"]),
        (b'{"query": "x", "filters": {"year": {}}}', ["filters.year", "gte"]),
        (b'{"query": "x", "filters": {"colour": []}}', ["filters.colour", "empty"]),
        (b'{"query": "x", "filters": {"colour": [null]}}', ["filters.colour"]),
        (b'{"query": "x", "filters": ["colour"]}', ["filters"]),
        (b'{"query": "' + b"a" * 10_000 + b'"}', ["query:", "1000"]),
        (b"[" * 100_000, ["JSON"]),
    ],
)
def test_a_bad_body_names_the_field_and_the_remedy(client: FlaskClient, body: bytes, words: list[str]) -> None:
    assert_problem(client.post("/api/search", data=body, content_type="application/json"), 400, *words)


def test_bad_pictures_are_problems(client: FlaskClient) -> None:
    good = picture_of(client, "ball-red")
    for content in (b"hello", b"", good[:200], b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert_problem(post_picture(client, content), 415)
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n\r\n' + good + b"\0" * 11_000_000
    large = client.post("/api/search", data=body + b"\r\n--x--\r\n", content_type="multipart/form-data; boundary=x")
    assert_problem(large, 413, "10,000,000")
    huge = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(huge, "PNG")
    assert_problem(post_picture(client, huge.getvalue()), 413, "pixels")


def test_odd_forms_are_problems(client: FlaskClient) -> None:
    good = picture_of(client, "ball-red")
    assert_problem(client.post("/api/search", data={"image": "text", "query": "x"}), 415)  # no file, so no multipart
    assert_problem(client.post("/api/search", data={"photo": (io.BytesIO(good), "p.jpg")}), 400, "photo", "image")
    assert_problem(post_picture(client, good, k="ten"), 400, "k:")
    assert_problem(post_picture(client, good, filters="{"), 400, "filters", "JSON")
    two = {"image": [(io.BytesIO(good), "a.jpg"), (io.BytesIO(good), "b.jpg")]}
    assert_problem(client.post("/api/search", data=two), 400, "image")


def test_http_errors_are_problems_too(client: FlaskClient) -> None:
    assert_problem(client.get("/api/nope"), 404, "/docs")
    assert_problem(client.get("/api/items/nope"), 404, "nope")
    wrong = client.delete("/api/search")
    assert_problem(wrong, 405, "DELETE", "GET, HEAD, OPTIONS, POST")
    assert "POST" in wrong.headers["Allow"]
    assert_problem(client.post("/api/search", data="q=x", content_type="text/plain"), 415, "text/plain")


def test_an_unexpected_error_is_a_problem_without_its_insides(own_app: Flask) -> None:
    @own_app.get("/api/broken")
    def broken() -> str:
        raise RuntimeError("the secret of the insides")

    own_app.testing = False
    body = assert_problem(client_of(own_app).get("/api/broken"), 500)
    assert "secret" not in json.dumps(body)


def test_people_get_a_page_and_programs_a_problem(client: FlaskClient) -> None:
    page = client.get("/nope", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert_problem(client.get("/nope"), 404)


def test_pages_travel_compressed_and_answers_keep_their_etag(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "br, gzip"}
    page = client.get("/?q=ball", headers=headers)
    assert page.headers["Content-Encoding"] == "br" and "Accept-Encoding" in page.headers["Vary"]
    plain, asked = client.get("/api/items/ball-red"), client.get("/api/items/ball-red", headers=headers)
    assert "Content-Encoding" not in asked.headers and asked.headers["ETag"] == plain.headers["ETag"]


def test_more_than_the_rate_limit_is_refused(own_shop: Settings) -> None:
    app = create_app(own_shop.model_copy(update={"rate_limit": "3 per minute"}))
    client = client_of(app)
    try:
        assert [client.get("/api/suggest?q=re").status_code for _ in range(3)] == [200] * 3
        refused = client.get("/api/suggest?q=re")
        assert_problem(refused, 429, "3 per", "MAGPIE_RATE_LIMIT")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert client.get("/healthz").status_code == 200  # whoever watches the server is not turned away
    finally:
        app.extensions["magpie"].close()


# ---- filters in addresses ----

FIELD = st.text(min_size=1, max_size=12)
VALUES = st.lists(st.text(max_size=12), max_size=3, unique=True).map(tuple)
BOUND = st.sampled_from(["", "-5", "2.5", "1e3", "2026-01-31", "2026-01-31T10:00:00+02:00", "cheap"])
SPANS = st.lists(st.builds("{}..{}".format, BOUND, BOUND).map(written_span), max_size=2).map(tuple)
FILTER = st.builds(FieldFilter, VALUES, SPANS, VALUES, SPANS, st.sampled_from([None, True, False]))
FILTERS = st.dictionaries(FIELD, FILTER.filter(lambda one: one != FieldFilter()), max_size=4)


@given(FILTERS)
def test_filters_survive_the_way_through_an_address(filters: dict[str, FieldFilter]) -> None:
    assert parse_filter_parameters(format_filter_parameters(filters)) == filters


@given(FILTERS, st.text(max_size=40), st.integers(1, MAX_PAGES))
def test_the_page_state_survives_the_way_through_an_address(
    filters: dict[str, FieldFilter], words: str, page: int
) -> None:
    state = PageState(q=words.strip(), filters=filters, page=page)
    assert PageState.from_parameters(MultiDict(state.parameters())) == state


def test_plain_values_are_taken_as_texts() -> None:
    given_values = {"new": True, "year": 2014, "size": [1.5, "XL"], "code": 4006381333931.0}
    read = {name: wanted.values for name, wanted in parse_filters(given_values).items()}
    assert read == {"new": ("true",), "year": ("2014",), "size": ("1.5", "XL"), "code": ("4006381333931",)}
    with pytest.raises(BadFilter, match="size"):
        parse_filters({"size": float("nan")})


def test_addresses_and_json_exclude_and_ask_for_presence_alike() -> None:
    written = ["-colour:red", "-colour:blue", "size:*", "-year:*", '\\-odd:"1..2"', '\\-odd:"*"']
    excluded = {"colour": {"not": ["red", "blue"]}, "size": {"exists": True}, "year": {"exists": False}}
    assert parse_filter_parameters(written) == parse_filters(excluded | {"-odd": ["1..2", "*"]})
    spans = parse_filters({"price": {"not": [{"gte": 1, "lt": 5}, 9]}})["price"].not_spans
    assert spans == (Span((("gte", 1), ("lt", 5))),)
    with pytest.raises(NotTogether, match="colour"):
        parse_filter_parameters(["colour:*", "-colour:*"])


@pytest.mark.parametrize(
    ("filters", "status", "words"),
    [
        ({"year": {"gte": "soon"}}, 422, ["filters.year.gte", "soon", "ISO 8601"]),
        ({"year": {"gte": "3"}}, 422, ["filters.year.gte", "number"]),
        ({"year": {"exists": "maybe"}}, 400, ["filters.year.exists", "maybe"]),
        ({"year": {"not": []}}, 400, ["filters.year", "empty"]),
        ({"year": {"not": {"exists": True}}}, 400, ["filters.year", "exists", "gte"]),
        ({"year": {"gte": "2026-01-31"}}, 422, ["year", "2026-01-31", "numbers"]),
        ({"price": {"not": {"lt": "2026-01-31"}}}, 422, ["price", "numbers"]),
    ],
)
def test_a_bad_filter_names_the_field_and_the_remedy(
    client: FlaskClient, filters: dict, status: int, words: list[str]
) -> None:
    assert_problem(client.post("/api/search", json={"query": "x", "filters": filters}), status, *words)


@pytest.mark.parametrize("written", ["1O..20", "10..2O", "..", "10..20..30", "2026-01-01..", "cheap..dear"])
def test_a_mistyped_range_is_no_empty_shop(client: FlaskClient, written: str) -> None:
    for sign in ("", "-"):
        assert_problem(client.get(f"/api/search?filter={sign}price:{written}"), 422, "price", written, "10..50")
    assert client.get(f"/?filter=price:{written}").status_code == 422
    assert client.get(f'/api/search?filter=price:"{written}"').get_json()["total"] == 0
    assert client.get(f"/api/search?filter=-price:{written}&filter=nothing:1").status_code == 422


def test_what_is_excluded_is_left_out_and_may_be_shown_and_removed(client: FlaskClient) -> None:
    both = client.get("/api/search?filter=-colour:red&filter=-kind:ball&k=100").get_json()["hits"]
    assert both and not {"Red"} & {hit["attributes"].get("colour") for hit in both}
    assert PLAIN_ID in {hit["item_id"] for hit in both}  # it has no colour
    without = client.get("/api/search?filter=-colour:*&k=100").get_json()["hits"]
    coloured = client.get("/api/search?filter=colour:*&k=100").get_json()["hits"]
    assert not any("colour" in hit["attributes"] for hit in without) and all(
        "colour" in h["attributes"] for h in coloured
    )
    page = client.get("/?filter=-colour:Red&filter=-price:6..&filter=kind:*").get_data(as_text=True)
    assert all(label in page for label in ("not Colour: Red", "not Price: from 6", "with Kind"))
    many = "&".join(f"filter=colour:c{n}" for n in range(MAX_CHIPS + 1))
    page = client.get(f"/?q=ball&{many}").get_data(as_text=True)
    assert f"Filters ({MAX_CHIPS + 1})" in page
    assert "Colour: c0" not in page


# ---- behaviour ----

CLICK = {
    "action_name": "click",
    "query_id": "q1",
    "client_id": "c1",
    "event_attributes": {"object": {"object_id": "ball-red"}},
}


def stored(settings: Settings) -> list[dict[str, Any]]:
    """All that another process would find in the click log."""
    database = open_database(settings)
    found = list(EventLog(database).export())
    database.close()
    return found


def test_an_acknowledged_event_is_on_disk(own_app: Flask, own_shop: Settings) -> None:
    client = client_of(own_app)
    assert client.post("/api/events", json=CLICK).get_json()["accepted"] == 1
    kept = [one for one in stored(own_shop) if one.get("action_name")]
    assert [(one["action_name"], is_pseudonym(one["client_id"])) for one in kept] == [("click", True)]
    many = [{**CLICK, "event_id": f"e{n}"} for n in range(3)]
    assert client.post("/api/events", json=many).get_json()["accepted"] == 3
    again = client.post("/api/events", json=many).get_json()
    assert (again["accepted"], again["duplicates"]) == (0, 3)


def test_one_wrong_event_of_a_list_stores_none(own_app: Flask, own_shop: Settings) -> None:
    answer = client_of(own_app).post("/api/events", json=[CLICK, {"query_id": "q1"}])
    assert_problem(answer, 400, "event 1", "action_name")
    assert stored(own_shop) == []


@pytest.mark.parametrize(
    "body", [{}, [], "click", 5, {"action_name": ""}, {"action_name": "a" * 200}, {**CLICK, "set_aside": "x"}]
)
def test_bad_events_are_problems(client: FlaskClient, body: Any) -> None:
    assert_problem(client.post("/api/events", json=body), 400)


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_asks_for_privacy_leaves_no_trace(own_app: Flask, own_shop: Settings, header: str) -> None:
    client = client_of(own_app)
    answer = client.post("/api/events", json=CLICK, headers={header: "1"}).get_json()
    assert answer["accepted"] == 1 and answer["stored"] is False
    assert client.get("/api/search?q=red", headers={header: "1"}).status_code == 200
    assert client.get("/?q=red", headers={header: "1"}).status_code == 200
    own_app.extensions["magpie"].query_log.close()
    assert stored(own_shop) == []


def test_searches_are_logged_with_what_was_shown(own_app: Flask, own_shop: Settings) -> None:
    body = {"query": "red ball", "k": 3, "client_id": "c1", "session_id": "s1"}
    answer = client_of(own_app).post("/api/search", json=body).get_json()
    own_app.extensions["magpie"].query_log.close()
    (logged,) = stored(own_shop)
    assert logged["query_id"] == answer["query_id"] and logged["user_query"] == "red ball"
    assert (is_pseudonym(logged["client_id"]), logged["session_id"]) == (True, "s1")
    assert "typing" not in logged["query_attributes"]
    assert logged["query_response_hit_ids"] == [hit["item_id"] for hit in answer["hits"]]


# ---- items ----


def wait_for(client: FlaskClient, words: str, item_id: str, is_there: bool = True) -> float:
    """Seconds until a search shows the item (or no longer does); fails after five."""
    started = time.monotonic()
    while time.monotonic() < started + 5:
        hits = client.get("/api/search", query_string={"q": words, "k": 5}).get_json()["hits"]
        if any(hit["item_id"] == item_id for hit in hits) == is_there:
            return time.monotonic() - started
        time.sleep(0.05)
    raise AssertionError(f"{item_id} was {'not found' if is_there else 'still found'} after 5 s")


def test_an_item_put_is_found_and_an_item_deleted_is_gone(own_app: Flask) -> None:
    client = client_of(own_app)
    item = {"title": "Zorblatt umbrella", "price": 12.5, "currency": "EUR", "attributes": {"colour": "Turquoise"}}
    answer = client.put("/api/items/new-1", json=item)
    assert answer.status_code == 201 and answer.get_json()["attributes"] == {"colour": "Turquoise"}
    wait_for(client, "zorblatt umbrella", "new-1")
    assert client.put("/api/items/new-1", json={**item, "price": 11}).status_code == 200
    assert client.get("/api/items/new-1").get_json()["price"] == 11
    assert client.delete("/api/items/new-1").status_code == 204
    wait_for(client, "zorblatt umbrella", "new-1", is_there=False)
    assert_problem(client.get("/api/items/new-1"), 404)
    assert_problem(client.delete("/api/items/new-1"), 404)


def test_an_item_comes_with_its_picture_and_keeps_it(own_app: Flask, own_shop: Settings, picture: Any) -> None:
    client = client_of(own_app)
    content = Path(picture("up.png", "purple", (80, 60))).read_bytes()
    form = {"title": "Purple thing", "attributes": '{"colour": "Purple"}', "image": (io.BytesIO(content), "up.png")}
    item = client.put("/api/items/with-picture", data=form).get_json()
    assert [(image["width"], image["height"]) for image in item["images"]] == [(80, 60)]
    assert client.get(item["images"][0]["url"]).data == content
    assert len(list(own_shop.images_dir.iterdir())) == 1
    kept = client.put("/api/items/with-picture", json={"title": "Purple thing, renamed"}).get_json()
    assert kept["images"] == item["images"]
    assert client.put("/api/items/with-picture", json={"title": "x", "images": []}).get_json()["images"] == []
    bad = {"title": "x", "image": (io.BytesIO(b"no picture"), "x.png")}
    assert_problem(client.put("/api/items/other", data=bad), 415)
    assert_problem(client.get("/api/items/other"), 404)


def test_pictures_of_an_imported_item_are_kept_when_its_words_change(own_app: Flask) -> None:
    client = client_of(own_app)
    before = client.get("/api/items/ball-red").get_json()["images"]
    after = client.put("/api/items/ball-red", json={"title": "Red ball, better"}).get_json()["images"]
    assert before == after and len(before) == 1


def test_many_items_at_once_all_or_none(own_app: Flask) -> None:
    client = client_of(own_app)
    items = [{"item_id": f"many-{n}", "title": f"Thing {n}"} for n in range(20)]
    assert client.post("/api/items", json=items).get_json()["inserted"] == 20
    assert client.post("/api/items", json=items).get_json()["unchanged"] == 20
    assert_problem(
        client.post("/api/items", json=[{"item_id": "good", "title": "x"}, {"item_id": "bad"}]), 400, "1.title"
    )
    assert_problem(client.post("/api/items", json=[*items, items[0]]), 422, "many-0", "twice")
    assert_problem(client.post("/api/items", json=[]), 400, "1 to 1000")
    assert_problem(client.get("/api/items/good"), 404)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, ["title"]),
        ({"title": "x", "price": "ten"}, ["price:", "number"]),
        ({"title": "x", "price": -1}, ["price:"]),
        ({"title": "x", "attributes": {"a": {"b": 1}}}, ["a", "list of texts"]),
        ({"title": "x", "item_id": "other"}, ["item_id", "unknown"]),
        ({"title": "x", "images": ["elsewhere/x.jpg"]}, ["images"]),
        ({"title": "x", "attributes": {"title": "y"}}, ["title"]),
    ],
)
def test_bad_items_are_problems(client: FlaskClient, body: dict[str, Any], words: list[str]) -> None:
    assert_problem(client.put("/api/items/new", json=body), 400, *words)


def test_an_id_may_end_like_an_address(own_app: Flask) -> None:
    client = client_of(own_app)
    for item_id in ("ball-red/similar", "ball-red/similar/similar"):
        address = "/api/items/" + item_id.replace("/", "%2F")
        assert client.put(address, json={"title": "Odd"}).status_code == 201
        assert client.get(address).get_json()["item_id"] == item_id
        assert client.get(address, headers={"If-None-Match": client.get(address).headers["ETag"]}).status_code == 304
        own_app.extensions["magpie"].engine.refresh()
        assert "hits" in client.get(f"{address}/similar?k=2").get_json()
    assert "hits" in client.get("/api/items/ball-red/similar?k=2").get_json()


def test_difficult_ids_are_ids(own_app: Flask) -> None:
    from urllib.parse import quote

    client = client_of(own_app)
    for item_id in (HOSTILE_ID, "a//b", "a/b", "日本 語", "%2e%2e", "x" * 512):
        address = "/api/items/" + quote(item_id, safe="")
        assert client.put(address, json={"title": "Difficult"}).status_code in (200, 201), item_id
        assert client.get(address).get_json()["item_id"] == item_id
    assert_problem(client.put("/api/items/" + "x" * 513, json={"title": "too long"}), 400, "512")


def test_only_this_machine_writes_while_there_is_no_token(own_app: Flask) -> None:
    client = client_of(own_app)
    item = {"title": "x"}
    refused: list[dict[str, Any]] = [
        {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Host": "attacker.example"}},
    ]
    for how in refused:
        assert_problem(client.put("/api/items/x", json=item, **how), 401, "owner-token")
        assert_problem(client.delete("/api/items/ball-red", **how), 401)
        assert_problem(client.post("/api/items", json=[{"item_id": "x", **item}], **how), 401)
        assert client.get("/api/items/ball-red", **how).status_code == 200
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.put("/api/items/x", json=item, headers={"Host": host}).status_code in (200, 201)


def test_a_token_opens_writing_from_anywhere_and_closes_it_to_all_others(own_shop: Settings) -> None:
    app = create_app(own_shop.model_copy(update={"api_token": "the-token", "trust_loopback": False}))
    client = client_of(app)
    try:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic Z2VoOmltCg=="},
            {"Authorization": "Bearer"},
        ):
            answer = client.put("/api/items/x", json={"title": "x"}, headers=headers)
            assert_problem(answer, 401, "Bearer")
            assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
        right = {"Authorization": "Bearer the-token"}
        away = {"REMOTE_ADDR": "192.0.2.7"}
        assert client.put("/api/items/x", json={"title": "x"}, headers=right, environ_base=away).status_code == 201
    finally:
        app.extensions["magpie"].close()


# ---- operation ----


def test_without_an_index_the_server_says_what_to_do(settings: Settings) -> None:
    app = create_app(settings)
    client = client_of(app)
    try:
        assert client.get("/healthz").get_json() == {"status": "ok"}
        assert_problem(client.get("/readyz"), 503, "magpie index rebuild")
        assert_problem(client.get("/api/search?q=x"), 503, "magpie index rebuild")
        page = client.get("/")
        assert page.status_code == 200 and b"magpie index rebuild" in page.data
    finally:
        app.extensions["magpie"].close()


def test_ready_says_what_answers(client: FlaskClient) -> None:
    ready = client.get("/readyz").get_json()
    assert ready["status"] == "ready" and ready["items"] == len(KINDS) * len(COLOURS) + 2 and ready["alarms"] == []
    assert ready["generation"] == client.get("/api/search?q=x").get_json()["generation"]


def test_metrics_count_searches_by_route(client: FlaskClient) -> None:
    client.get("/api/search?q=red+ball")
    text = client.get("/metrics").get_data(as_text=True)
    assert "# HELP magpie_request_seconds" in text and 'route="/api/search"' in text
    assert 'magpie_searches_total{confident="true",kind="words"}' in text
    assert f"magpie_items {len(KINDS) * len(COLOURS) + 2}.0" in text and "magpie_generation_info{" in text


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for address in ("/", "/?q=red", "/docs", "/api/search?q=red", "/api/nope", "/static/page.js", "/item?id=ball-red"):
        headers = client.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and "Access-Control-Allow-Origin" not in headers
