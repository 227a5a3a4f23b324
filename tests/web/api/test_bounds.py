"""Every list, text, number and depth of a request has a bound: below it an answer, beyond it a 4xx that names it."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import open_database
from magpie.data.errors import BadFilter, BadInput, TooLarge
from magpie.data.events.ubi import ShownHit
from magpie.data.settings import Settings
from magpie.indexer.rebuild import rebuild
from magpie.search.query.parse_query import MAX_NOT
from magpie.web.api.answer_search import FEWEST_LOGGED_HITS, MAX_HIT_BYTES, logged_hits
from magpie.web.api.events import MAX_EVENTS_BYTES, ROOM
from magpie.web.api.filter_notation import (
    MAX_FIELDS,
    MAX_FILTER_CHARS,
    MAX_VALUES,
    format_filter_parameters,
    format_number,
    parse_filter_parameters,
    parse_filters,
)
from magpie.web.api.json_text import MAX_JSON_DEPTH, parse_json
from magpie.web.api.search_requests import MAX_MEMBERS, MAX_SEARCH_BYTES
from magpie.web.app import create_app
from magpie.web.page.state import MAX_PAGES
from tests.support.serving import Client, client_of
from tests.web.api.test_api import stored

HUGE = "1" + "0" * 400  # no float of 64 bits holds it
NO_NUMBERS = [HUGE, f"-{HUGE}", "1" + "0" * 5_000, "1e400", "-1e400", "NaN", "Infinity", "-Infinity"]
NUMBERS = ["1e308", "-1e308", "-0.0", "5e-324", "1.7976931348623157e308", "12345678901234567890"]
ENDINGS = {"[": "]", '{"a":': "}"}


@pytest.fixture
def client(own_shop: Settings) -> Iterator[Client]:
    app = create_app(own_shop)
    app.testing = False
    yield client_of(app)
    app.extensions["magpie"].close()


def nested(opening: str, depth: int) -> str:
    return opening * depth + "1" + ENDINGS[opening] * depth


def send(client: Client, body: str | dict[str, Any], path: str = "/api/search", method: str = "POST") -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return client.open(path, method=method, data=text, content_type="application/json")


# ---- one place parses JSON ----


@pytest.mark.parametrize("opening", list(ENDINGS))
def test_depth_has_a_bound(opening: str) -> None:
    assert parse_json(nested(opening, MAX_JSON_DEPTH), 10_000)
    for depth in (MAX_JSON_DEPTH + 1, 150, 100_000):
        with pytest.raises(BadInput, match="here: "):
            parse_json(nested(opening, depth), 1_000_000, "here")


@pytest.mark.parametrize("around", ["%s", "[1, %s]", '{"a": {"b": [%s]}}'])
def test_numbers_are_those_that_floats_hold(around: str) -> None:
    for number in NUMBERS:
        assert parse_json(around % number, 10_000) == json.loads(around % number)
    for number in NO_NUMBERS:
        with pytest.raises(BadInput):
            parse_json(around % number, 10_000)


def test_size_has_a_bound() -> None:
    assert parse_json(b'"aaa"', 5) == "aaa"
    with pytest.raises(TooLarge, match="at most 5"):
        parse_json(b'"aaaa"', 5)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_within_the_bounds_is_read_as_python_does(value: Any) -> None:
    text = json.dumps(value)
    try:
        assert parse_json(text, len(text)) == json.loads(text)
    except BadInput as error:
        assert "\\ud" in text or "beyond" in str(error)


FORMS = [("POST", "/api/search", "filters", {"query": "a"}), ("PUT", "/api/items/odd", "attributes", {"title": "a"})]
FORMS += [("PUT", "/api/items/odd", "images", {"title": "a"})]


@pytest.mark.parametrize(("method", "path", "field", "more"), FORMS)
@pytest.mark.parametrize("text", [nested("[", 60_000), nested('{"a":', 30_000), '{"price": [NaN]}', f'{{"x": {HUGE}}}'])
def test_fields_of_forms_have_the_bounds_of_bodies(
    client: Client, method: str, path: str, field: str, more: dict[str, str], text: str
) -> None:
    fields = {**more, field: text, "image": (BytesIO(b""), "")}
    answer = client.open(path, method=method, data=fields, content_type="multipart/form-data")
    assert answer.status_code == 400 and answer.get_json()["detail"].startswith(field)


@pytest.mark.parametrize("number", [*NO_NUMBERS, *NUMBERS])
def test_no_number_anywhere_breaks_an_answer(client: Client, number: str) -> None:
    expected = {400} if number in NO_NUMBERS else {200, 201, 400, 422}
    for path, method, body in [
        ("/api/search", "POST", '{"query": "a", "filters": {"price": {"gte": %s}}}'),
        ("/api/search", "POST", '{"query": "a", "filters": {"price": [%s], "colour": [%s]}}'),
        ("/api/search", "POST", '{"query": "a", "k": %s}'),
        ("/api/search", "POST", '{"like": "ball-red", "image_weight": %s}'),
        ("/api/events", "POST", '{"action_name": "click", "event_attributes": {"position": {"ordinal": %s}}}'),
        ("/api/events", "POST", '{"action_name": "click", "timestamp": %s}'),
        ("/api/events", "POST", '{"action_name": "click", "any": {"thing": [%s]}}'),
        ("/api/items/odd", "PUT", '{"title": "t", "price": %s}'),
        ("/api/items/odd", "PUT", '{"title": "t", "attributes": {"size": %s}}'),
        ("/api/items/odd", "PUT", '{"title": "t", "attributes": {"tags": [%s]}}'),
        ("/api/items", "POST", '[{"item_id": "x", "title": "t", "attributes": {"size": %s}}]'),
    ]:
        answer = send(client, body.replace("%s", number), path, method)
        assert answer.status_code in expected, (path, body, answer.get_json())
        assert b"NaN" not in answer.data and b"Infinity" not in answer.data
    line = f'{{"item_id": "x", "title": "t", "attributes": {{"size": {number}}}}}\n'
    told = client.post("/api/items", data=line, content_type="application/x-ndjson").get_json(force=True)
    assert (told["result"] == "rejected") == (number in NO_NUMBERS)
    for path in (
        f"/api/search?q=a&filter=price:{number}..",
        f"/api/search?q=a&k={number}",
        f"/?q=a&filter=price:..{number}",
    ):
        assert client.get(path).status_code < 500
    for path in (f"/api/search?q=a&image_weight={number}", f"/?q=a&min:price={number}", f"/?page={number}"):
        assert client.get(path).status_code < 500


# ---- searches ----


def values(count: int) -> dict[str, Any]:
    return {"colour": [f"c{n}" for n in range(count - 1)], "kind": ["ball"]}


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ({"filters": values(MAX_VALUES)}, {"filters": values(MAX_VALUES + 1)}),
        ({"filters": {"colour": ["x" * MAX_FILTER_CHARS]}}, {"filters": {"colour": ["x" * (MAX_FILTER_CHARS + 1)]}}),
        ({"filters": {"colour": "x" * MAX_FILTER_CHARS}}, {"filters": {"colour": "x" * (MAX_FILTER_CHARS + 1)}}),
        ({"not": ",".join("abcdefghij"[:MAX_NOT])}, {"not": ",".join("abcdefghijk"[: MAX_NOT + 1])}),
        ({"query": "a" * 1000}, {"query": "a" * 1001}),
        ({"filters": {"colour": ["x" * 500] * 100}}, {"filters": {"colour": ["x" * 500] * 101}}),
        ({"sort": "price"}, {"sort": "x" * 201}),
        ({"client_id": "x" * 200}, {"client_id": "x" * 201}),
        ({"layout": "x" * 64}, {"layout": "x" * 65}),
        ({"k": 1000, "offset": 9000}, {"k": 1000, "offset": 10_001}),
    ],
)
def test_fields_of_a_search_have_bounds(client: Client, allowed: dict[str, Any], refused: dict[str, Any]) -> None:
    assert send(client, {"query": "ball"} | allowed).status_code == 200
    assert send(client, {"query": "ball"} | refused).status_code == 400


def test_a_search_in_json_has_a_size(client: Client) -> None:
    for body in ({"query": "x", "junk": "x" * MAX_SEARCH_BYTES}, {"query": "x", "filters": values(400_000)}):
        assert send(client, body).status_code == 413
    for members in (MAX_MEMBERS, 20_000):
        assert send(client, {f"f{n}": n for n in range(members)}).status_code == 400


def test_as_many_hits_are_explained_as_are_given(client: Client) -> None:
    found = send(client, {"query": "red ball", "not": "kite", "k": 1000, "explain": True}).get_json()["hits"]
    assert len(found) > 20
    for hit in found:
        assert sum(hit["explain"].values()) == pytest.approx(hit["score"], abs=1e-5)


def test_so_many_pages_are_shown_at_once(client: Client) -> None:
    assert [client.get(f"/?q=ball&page={page}").status_code for page in (MAX_PAGES, MAX_PAGES + 1)] == [200, 400]


def test_filters_have_bounds_however_they_are_written(client: Client) -> None:
    fields = {f"f{n}": ["x"] for n in range(MAX_FIELDS + 1)}
    with pytest.raises(BadFilter, match=str(MAX_FIELDS)):
        parse_filters(fields)
    for parameters in (format_filter_parameters(fields), ["colour:x"] * (MAX_VALUES + 1), ["x" * 1001 + ":x"]):
        with pytest.raises(BadFilter, match="filters"):
            parse_filter_parameters(parameters)
    page = "/?" + "&".join(f"filter=f{n}:x" for n in range(MAX_FIELDS + 1))
    assert client.get(page).status_code == client.get("/results" + page[1:]).status_code == 400
    assert client.get("/?q=ball&" + "&".join(f"not=x{n}" for n in range(MAX_NOT + 1))).status_code == 400


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_such_that_it_is_read_again(number: float) -> None:
    written = format_number(number)
    assert "e" not in written and float(written) == number
    assert parse_filter_parameters([f"price:{written[:1000]}.."]) if len(written) < 900 else True


# ---- what is logged ----


ODD = st.one_of(st.text("ab, é🎈", min_size=1, max_size=1000), st.sampled_from(["🎈" * 1000, "a" * 1000, "é " * 500]))


@given(asked=st.fixed_dictionaries({"query": ODD, "not": ODD, "colours": st.lists(ODD, max_size=40)}))
@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_logged_of_a_search_is_bounded(client: Client, asked: dict[str, Any]) -> None:
    words = f"ball {asked['query']}"[:1000]
    body = {"query": words, "not": asked["not"], "filters": {"colour": [*asked["colours"], "Red"]}}
    answer = send(client, body)
    assert answer.status_code in (200, 400), answer.get_json()
    if answer.status_code == 400:  # more things than may be excluded, or too long values together
        return
    opened = client.application.extensions["magpie"]
    opened.query_log.settle()
    (kept,) = [one for one in stored(opened.settings) if one.get("query_id") == answer.get_json()["query_id"]]
    text = json.dumps({name: value for name, value in kept.items() if "hit" not in name}, ensure_ascii=False)
    assert len(text.encode()) < 3_500
    assert len(kept["user_query"]) > 190 or kept["user_query"] == words
    assert words.startswith(kept["user_query"])
    attributes = kept["query_attributes"]
    assert len(attributes.get("filters", [])) + attributes.get("filters_left_out", 0) == len(asked["colours"]) + 1


@pytest.mark.parametrize(
    ("id_chars", "num_features", "expected"),
    [
        (8, 0, MAX_HIT_BYTES // 40),
        (300, 0, FEWEST_LOGGED_HITS),
        (8, 40, FEWEST_LOGGED_HITS),
        (0, 0, MAX_HIT_BYTES // 32),
    ],
)
def test_so_many_hits_are_logged(id_chars: int, num_features: int, expected: int) -> None:
    inputs = {f"input {n}": 0.1 for n in range(num_features)}
    hits = [ShownHit("x" * id_chars, place, 1.0, None, inputs) for place in range(1, 1001)]
    assert logged_hits(hits) == tuple(hits[:expected])
    assert logged_hits(hits[:7]) == tuple(hits[:7])


def test_searches_of_any_kind_add_little_to_the_log(client: Client) -> None:
    opened = client.application.extensions["magpie"]

    def growth(body: dict[str, Any]) -> int:
        before = (opened.settings.home / "magpie.db").stat().st_size
        for n in range(20):
            assert send(client, body | {"query": f"{body['query']} {n}"}).status_code == 200
        opened.query_log.settle()
        with opened.database.reading() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return (opened.settings.home / "magpie.db").stat().st_size - before

    usual = growth({"query": "red ball", "k": 10})
    for body in ({"k": 1000}, {"k": 1000, "explain": True, "client_id": "c", "session_id": "s"}, {"not": "x" * 900}):
        assert growth({"query": "red", **body}) <= max(100_000, 3 * usual)


# ---- events ----


def event(**fields: Any) -> dict[str, Any]:
    return {"action_name": "click", **fields}


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (event(x="y" * 900), event(x="y" * ROOM.unnamed)),
        (event(event_attributes={"x": "y" * 4_000}), event(event_attributes={"x": "y" * ROOM.attributes})),
        (event(message="y" * 4_096), event(message="y" * 4_097)),
        (event(**{f"f{n}": 1 for n in range(90)}), event(**{f"f{n}": 1 for n in range(100_000)})),
        (event(x=json.loads(nested("[", 20))), event(x=json.loads(nested("[", 40)))),
    ],
)
def test_junk_of_events_is_refused(
    client: Client, settings: Settings, allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    assert send(client, allowed, "/api/events").status_code == 200
    assert 400 <= send(client, refused, "/api/events").status_code < 500


def test_events_of_one_request_have_a_size_for_strangers(client: Client, own_shop: Settings) -> None:
    one = event(event_attributes={"x": "y" * 4_000})
    many = json.dumps([one] * (MAX_EVENTS_BYTES // 4_000))
    assert send(client, many, "/api/events").status_code == 413
    assert len(stored(own_shop)) == 0


def test_who_is_trusted_with_events_may_send_larger_ones(own_shop: Settings) -> None:
    database = open_database(own_shop)
    bears = {"Authorization": f"Bearer {create_token(database, 'shop', ['events'])}"}
    database.close()
    app = create_app(own_shop)
    large = event(x="y" * 30_000, event_attributes={"x": "y" * 30_000})
    assert client_of(app).post("/api/events", json=large, headers=bears).status_code == 200
    assert client_of(app).post("/api/events", json=large).status_code == 400
    app.extensions["magpie"].close()


# ---- items ----


def test_what_is_taken_can_be_indexed(client: Client, own_shop: Settings) -> None:
    for n, number in enumerate(NUMBERS):
        body = f'{{"title": "odd {n}", "attributes": {{"size": {number}}}}}'
        assert send(client, body, f"/api/items/odd-{n}", "PUT").status_code == 201
    database = open_database(own_shop)
    rebuild(own_shop, database)
    database.close()
    assert client.get("/api/search?q=odd&facets=false").status_code == 200
