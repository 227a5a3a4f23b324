"""What is read in the words, over HTTP: the answer tells it, and each part can be taken back. No text makes a 500."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.settings import Settings
from tests.support.serving import client_on_a_copy


@pytest.fixture(scope="module")
def client(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with client_on_a_copy(shop, tmp_path_factory.mktemp("reading") / "home") as opened:
        yield opened


def search(client: FlaskClient, **parameters: Any) -> Any:
    answer = client.get("/api/search", query_string={"k": 40, **parameters})
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def test_the_answer_tells_what_was_read_and_one_can_take_it_back(client: FlaskClient) -> None:
    answer = search(client, q="blue ring under 25")
    assert answer["understood"] == [
        {"kind": "price", "text": "under 25", "field": "price", "filter": {"lte": 25}},
        {"kind": "value", "text": "blue", "field": "colour", "words": ["Blue"]},
        {"kind": "value", "text": "ring", "field": "kind", "words": ["ring"]},
    ]
    assert all(hit["price"] <= 25 for hit in answer["hits"])
    back = search(client, q="blue ring under 25", literal=["under 25"])
    assert [one["kind"] for one in back["understood"]] == ["value", "value"]
    assert any(hit["price"] is None or hit["price"] > 25 for hit in back["hits"])
    assert search(client, q="blue ring under 25", read="false")["understood"] == []
    posted = client.post(
        "/api/search", json={"query": "blue ring under 25", "literal": ["under 25"], "k": 40}
    ).get_json()
    assert [hit["item_id"] for hit in posted["hits"]] == [hit["item_id"] for hit in back["hits"]]
    form = {"query": "blue ring under 25", "literal": '["under 25"]', "k": "40"}
    assert (
        client.post("/api/search", data=form, content_type="multipart/form-data").get_json()["hits"] == posted["hits"]
    )


def test_nothing_understood_is_an_empty_list(client: FlaskClient) -> None:
    answer = search(client, q="zzxqv")
    assert (answer["understood"], answer["corrected"], answer["did_you_mean"]) == ([], "", "")


@pytest.mark.parametrize("literal", [["x"] * 21, ["x" * 1001]])
def test_literal_has_bounds(client: FlaskClient, literal: list[str]) -> None:
    assert client.get("/api/search", query_string={"q": "ring", "literal": literal}).status_code == 400
    assert client.post("/api/search", json={"query": "ring", "literal": literal}).status_code == 400


HARD = [
    "x" * 1000, "blue " * 200, '"' * 1000, '"unclosed', "- - -", "-", "not", "not not not", "-- --", "AND OR NOT",
    " ".join(f"-w{n}" for n in range(150)), "not " * 250, "under 50 " * 100, "under 999999999999", "between 1 and",
    "🙂🙂 ring 🙂", "blau синий 蓝色 أزرق สีฟ้า ring", "İSTANBUL ß ﬁ ½", "\x00\x1f ring", "\ue000 ring", "size",
    "'; DROP TABLE items; --", "<script>", "%s %d {0}", "under €", "€ 5", "ring under -5", "-(ring)",
    "size size 4", '-"', '-""', '"-"',
]  # fmt: skip


@pytest.mark.parametrize("text", HARD)
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "text"])
def test_no_text_makes_a_500(client: FlaskClient, text: str, mode: str) -> None:
    answer = client.get("/api/search", query_string={"q": text, "mode": mode, "k": 3})
    assert answer.status_code in (200, 422), answer.data


def test_no_text_breaks_the_page(client: FlaskClient) -> None:
    assert [text for text in HARD if client.get("/", query_string={"q": text}).status_code != 200] == []


def test_three_hundred_exclusions(client: FlaskClient) -> None:
    assert client.get("/api/search", query_string={"q": "ring " + "-a " * 300}).status_code == 200


PIECE = st.sampled_from(
    ["ring", "-blue", "not", '"', "under", "20", "€", "not red", "“", "cheap", "蓝", "🙂", "-", "cm"]
)


@given(st.lists(PIECE | st.text(max_size=4), min_size=1, max_size=20).map(" ".join))
def test_any_text_gets_an_answer_or_a_clear_refusal(client: FlaskClient, text: str) -> None:
    answer = client.get("/api/search", query_string={"q": text, "k": 3})
    assert answer.status_code == 200 or (answer.status_code == 422 and not text.strip()), (text, answer.data)
