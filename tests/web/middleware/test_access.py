"""Who may do what: tokens by scope, this machine alone while there is none, and no page of another site."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from magpie.data.database.api_tokens import SCOPES, bearer_of, create_token, digest_of, read_tokens, revoke_token
from magpie.data.database.connection import Database, open_database
from magpie.data.database.tables import tokens
from magpie.data.errors import BadInput, Conflict, NotFound
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.cli import main as cli
from magpie.web.middleware.access import is_loopback
from tests.support.serving import client_of

AWAY = {"REMOTE_ADDR": "192.0.2.7"}
ITEM = {"title": "x"}


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    opened = create_app(settings)
    yield opened
    opened.extensions["magpie"].close()


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# ---- tokens themselves ----


def test_a_token_is_kept_only_as_its_digest(database: Database, settings: Settings) -> None:
    token = create_token(database, "shop", ["write", "read"])
    with database.reading() as connection:
        (row,) = connection.execute(select(tokens)).all()
    assert row.digest == digest_of(token) and row.scopes == "read write"
    database.close()
    kept = b"".join(path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    assert b"shop" in kept and token.encode() not in kept


def test_a_token_is_its_bearer_until_it_is_revoked(database: Database) -> None:
    token = create_token(database, "shop", ["write"])
    create_token(database, "other", ["admin"])
    found = bearer_of(read_tokens(database), token)
    assert found and found.name == "shop"
    assert [found.may(scope) for scope in SCOPES] == [False, False, True, False]
    assert bearer_of(read_tokens(database), token + "x") is None and bearer_of(read_tokens(database), "") is None
    revoke_token(database, "shop")
    assert bearer_of(read_tokens(database), token) is None


def test_faults_of_tokens_are_named(database: Database) -> None:
    create_token(database, "shop", ["read"])
    with pytest.raises(Conflict, match="shop"):
        create_token(database, "shop", ["read"])
    with pytest.raises(BadInput, match="everything"):
        create_token(database, "b", ["everything"])
    with pytest.raises(BadInput, match="no name"):
        create_token(database, "a b", ["read"])
    with pytest.raises(NotFound, match="nobody"):
        revoke_token(database, "nobody")


def test_the_command_line_makes_lists_and_revokes(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(settings.home), "token"]
    assert cli.run([*home, "create", "shop", "--scope", "write"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("magpie_") and "not shown again" in err
    assert cli.run([*home, "list"]) == 0
    listed = capsys.readouterr().out
    assert "shop" in listed and "write" in listed and out.strip() not in listed
    assert cli.run([*home, "revoke", "shop"]) == 0 and cli.run([*home, "revoke", "shop"]) == 1


# ---- what they open ----


@pytest.mark.parametrize(
    ("scope", "writes", "measures"),
    [("read", 403, 200), ("events", 403, 403), ("write", 201, 403), ("admin", 201, 200)],
)
def test_a_token_opens_its_scope_from_anywhere(
    app: Flask, database: Database, scope: str, writes: int, measures: int
) -> None:
    bears = bearing(create_token(database, "one", [scope]))
    client = client_of(app)
    assert client.put("/api/items/x", json=ITEM, headers=bears, environ_base=AWAY).status_code == writes
    assert client.get("/metrics", headers=bears, environ_base=AWAY).status_code == measures


def test_a_token_that_is_made_or_revoked_counts_within_a_second(app: Flask, database: Database) -> None:
    client = client_of(app)
    assert client.put("/api/items/x", json=ITEM).status_code == 201
    bears = bearing(create_token(database, "one", ["write"]))
    time.sleep(1.1)
    assert client.put("/api/items/x", json=ITEM).status_code == 401
    assert client.put("/api/items/x", json=ITEM, headers=bears).status_code == 200
    revoke_token(database, "one")
    create_token(database, "two", ["write"])
    time.sleep(1.1)
    assert client.put("/api/items/x", json=ITEM, headers=bears).status_code == 401


def test_who_may_see_the_insights_is_shown_the_way(app: Flask, database: Database) -> None:
    token, client, way = create_token(database, "one", ["read"]), client_of(app), b'href="/insights"'
    assert way not in client.get("/me").data and way not in client.get("/me", environ_base=AWAY).data
    assert way in client.get("/me", auth=("anybody", token)).data


def test_a_browser_may_read_with_a_password_but_not_write(app: Flask, database: Database) -> None:
    token = create_token(database, "one", ["admin"])
    client = client_of(app)
    asked = client.get("/metrics")
    assert asked.status_code == 401
    assert [one.split(" ")[0].lower() for one in asked.headers.getlist("WWW-Authenticate")] == ["bearer", "basic"]
    assert client.get("/metrics", auth=("anybody", token)).status_code == 200
    assert client.put("/api/items/x", json=ITEM, auth=("anybody", token)).status_code == 401


# ---- without any token ----


@pytest.mark.parametrize(
    "how",
    [
        {"environ_base": AWAY},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"X-Forwarded-Host": "localhost"}},
        {"headers": {"X-Forwarded-Proto": "http"}},
        {"headers": {"X-Forwarded-Prefix": "/shop"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
        {"headers": {"Origin": "https://attacker.example"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Host": "attacker.example"}},
    ],
)
def test_without_a_token_only_this_machine_writes_and_measures(app: Flask, how: dict[str, Any]) -> None:
    client = client_of(app)
    assert client.put("/api/items/x", json=ITEM, **how).status_code == 403
    assert client.get("/metrics", **how).status_code == 403


def test_this_machine_writes_and_measures_while_there_is_no_token(app: Flask) -> None:
    client = client_of(app)
    assert client.put("/api/items/x", json=ITEM, headers={"Origin": "http://localhost"}).status_code == 201
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain; charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("address", ["/api/events", "/api/items"])
def test_nothing_is_written_by_what_a_form_of_another_site_can_send(app: Flask, address: str, kind: str) -> None:
    sent = client_of(app).post(
        address, data=b'[{"action_name": "click", "item_id": "x", "title": "x"}]', content_type=kind
    )
    assert sent.status_code == 415


@pytest.mark.parametrize(
    ("address", "is_own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x", False)],
)
def test_loopback_is_this_machine(address: str, is_own: bool) -> None:
    assert is_loopback(address) == is_own


def test_serving_others_without_a_token_warns(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    from magpie.web.cli.serve import _warn_of_strangers

    _warn_of_strangers(settings, "127.0.0.1")
    assert capsys.readouterr().err == ""
    _warn_of_strangers(settings, "0.0.0.0")
    assert "no token" in capsys.readouterr().err
    database = open_database(settings)
    create_token(database, "one", ["write"])
    database.close()
    _warn_of_strangers(settings, "0.0.0.0")
    assert capsys.readouterr().err == ""
