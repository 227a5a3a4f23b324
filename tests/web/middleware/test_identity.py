"""Who is asking: names alone open nobody's past; tokens, signed ids and the page's own cookie do."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from magpie.data.database.api_tokens import SCOPES, create_token
from magpie.data.database.connection import open_database
from magpie.data.events.event_log import EventLog
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.middleware.identity import SIGNED_S, VISIT_COOKIE
from tests.support.serving import Client, client_of

VICTIM = "customer-4711"
CHOSEN = ("box-red", "box-blue", "kite-red")


@pytest.fixture
def tokens(own_shop: Settings) -> dict[str, dict[str, str]]:
    """By scope the header with a token."""
    database = open_database(own_shop)
    made = {scope: {"Authorization": f"Bearer {create_token(database, scope, [scope])}"} for scope in SCOPES}
    database.close()
    return made


@pytest.fixture
def app(own_shop: Settings, tokens: dict[str, dict[str, str]]) -> Iterator[Flask]:
    """A shop whose backend told of a customer: what they bought and opened."""
    opened = create_app(own_shop.model_copy(update={"explore_share": 0.0, "explore_new_share": 0.0}))
    deeds = [deed("purchase" if item == "box-red" else "click", item) for item in CHOSEN]
    answer = client_of(opened).post("/api/events", json=deeds, headers=tokens["events"])
    assert answer.get_json()["accepted"] == len(CHOSEN)
    yield opened
    opened.extensions["magpie"].close()


def deed(action: str, item: str, client: str = VICTIM) -> dict[str, Any]:
    named = {"client_id": client, "session_id": f"{client}-s"} if client else {}
    return {"action_name": action, **named, "event_attributes": {"object": {"object_id": item}}}


def seen(client: Client, who: dict[str, str], **how: Any) -> list[Any]:
    """Every answer that could tell of somebody: items in order, scores, and where they come from."""
    answers = [
        client.get("/api/search", query_string={"q": "red", "k": 30, "explain": "true", **who}, **how),
        client.post("/api/search", json={"query": "red", "k": 30, "explain": True, **who}, **how),
        client.get("/api/recommend", query_string={"item": "box-red", "k": 30, **who}, **how),
        client.get("/api/recommend", query_string={"k": 30, **who}, **how),
    ]
    return [
        [told["ranker"], *((hit["item_id"], hit["score"], hit.get("explain")) for hit in told["hits"])]
        for told in (answer.get_json() for answer in answers)
    ]


def in_order(answers: list[Any]) -> list[Any]:
    """The items alone: preferences fade from one second to the next, and scores with them."""
    return [[ranker, *(item for item, *_ in hits)] for ranker, *hits in answers]


def test_a_name_alone_tells_nothing_of_anybody(app: Flask, tokens: dict[str, dict[str, str]]) -> None:
    client = client_of(app)
    stranger = seen(client, {"client_id": "nobody", "session_id": "none"})
    for who in (
        {"client_id": VICTIM},
        {"session_id": f"{VICTIM}-s"},
        {"client_id": VICTIM, "session_id": f"{VICTIM}-s"},
        {"client_id": f"{VICTIM}.aaaaaa.{'x' * 43}"},
    ):
        assert seen(client, who) == stranger
    for scope in ("read", "write"):
        assert seen(client, {"client_id": VICTIM, "session_id": f"{VICTIM}-s"}, headers=tokens[scope]) == stranger


@pytest.mark.parametrize("scope", ["events", "admin"])
def test_the_shops_backend_speaks_for_its_clients(app: Flask, tokens: dict[str, dict[str, str]], scope: str) -> None:
    search, posted, beside, taste = seen(client_of(app), {"client_id": VICTIM}, headers=tokens[scope])
    assert any(explain.get("session") for _, _, explain in search[1:]) and posted[1:] == search[1:]
    assert "box-red" not in [item for item, *_ in beside[1:]]  # bought
    assert taste[0] == "recommend-taste" and not {item for item, *_ in taste[1:]} & set(CHOSEN)


def test_a_signed_id_proves_its_client_to_the_end(
    app: Flask, tokens: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, headers = client_of(app), tokens["events"]
    answer = client.post("/api/clients", json={"client_id": VICTIM}, headers=headers)
    signed = answer.get_json()["client_id"]
    assert answer.status_code == 201 and signed.startswith(f"{VICTIM}.")
    by_token, stranger = seen(client, {"client_id": VICTIM}, headers=headers), seen(client, {"client_id": "nobody"})
    assert in_order(seen(client, {"client_id": signed})) == in_order(by_token) != in_order(stranger)
    damaged = signed[:-9] + ("A" if signed[-9] != "A" else "B") + signed[-8:]
    for forged in (damaged, "x" + signed, signed.replace("4711", "4712")):
        assert seen(client, {"client_id": forged}) == stranger
    now = TimestampSigner.get_timestamp
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now(self) + SIGNED_S + 10)
    assert seen(client, {"client_id": signed}) == stranger


def test_what_a_signed_client_does_is_kept_under_its_own_name(app: Flask, tokens: dict[str, dict[str, str]]) -> None:
    client, headers = client_of(app), tokens["events"]
    signed = client.post("/api/clients", json={"client_id": "visitor"}, headers=headers).get_json()["client_id"]
    assert client.post("/api/events", json=deed("click", "box-blue", signed)).status_code == 200
    client.post("/api/events", json=deed("click", "box-green", "visitor"), headers=headers)
    log = list(EventLog(app.extensions["magpie"].database).export())
    names = [one["client_id"] for one in log if one.get("session_id") in (f"{signed}-s", "visitor-s")]
    assert len(names) == 2 and names[0] == names[1]


def test_only_a_backend_may_sign_clients(app: Flask, tokens: dict[str, dict[str, str]]) -> None:
    client, headers = client_of(app), tokens["events"]
    away = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.post("/api/clients", json={}, environ_base=away).status_code == 401
    assert client.post("/api/clients", json={}, headers=tokens["write"]).status_code == 403
    one, other = (client.post("/api/clients", json={}, headers=headers).get_json()["client_id"] for _ in range(2))
    assert one.split(".")[0] != other.split(".")[0] and len(one.split(".")[0]) == 32
    for bad in ({"client_id": "x" * 129}, {"client_id": "a\0"}, {"name": "x"}, [], "x"):
        assert client.post("/api/clients", json=bad, headers=headers).status_code == 400


def test_the_pages_own_cookie_proves_its_visit_and_no_other(app: Flask) -> None:
    client = client_of(app)
    page = client.get("/").get_data(as_text=True)
    visit = page.split('data-visit="')[1].split('"')[0]
    name = visit.split(".")[0]
    client.set_cookie(VISIT_COOKIE, visit)
    choice = {**deed("click", "box-red", ""), "session_id": name}
    assert client.post("/api/events", json=[choice]).status_code == 200
    assert 'data-visit=""' in client.get("/").get_data(as_text=True)
    assert name in client.get("/me").get_data(as_text=True)
    own, stranger = seen(client, {"session_id": name}), seen(client_of(app), {"session_id": name})
    assert own != stranger and any(explain.get("session") for _, _, explain in own[0][1:])
    assert seen(client, {"session_id": f"{VICTIM}-s"}) == stranger
    client.post("/me/forget")
    log = EventLog(app.extensions["magpie"].database).export()
    assert not [one for one in log if one.get("session_id") == name and "action_name" in one]


@pytest.mark.parametrize("cookie", ["0" * 32, f"{'0' * 32}.aaaaaa.{'x' * 43}", "x", ".", "..", f"{VICTIM}-s"])
def test_a_made_up_cookie_is_nobodys_and_is_taken_back(app: Flask, cookie: str) -> None:
    client = client_of(app)
    client.set_cookie(VISIT_COOKIE, cookie)
    assert b'<ul class="me-list">' not in client.get("/me").data
    answer = client.get("/")
    assert 'data-visit="' in answer.get_data(as_text=True) and 'data-visit=""' not in answer.get_data(as_text=True)
    assert f"{VISIT_COOKIE}=;" in answer.headers["Set-Cookie"] and "private" in answer.headers["Cache-Control"]


def test_who_asks_for_privacy_gets_no_name(app: Flask) -> None:
    for header in ("DNT", "Sec-GPC"):
        assert 'data-visit=""' in client_of(app).get("/", headers={header: "1"}).get_data(as_text=True)
