"""Who may do what: tokens by scope, the owner's link and cookie, and this machine only where the owner says so."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from itsdangerous import TimestampSigner
from sqlalchemy import select

from magpie.data.database.api_tokens import SCOPES, bearer_of, create_token, digest_of, read_tokens, revoke_token
from magpie.data.database.connection import Database
from magpie.data.database.owner_token import FILE, make_owner_token, read_owner_token
from magpie.data.database.tables import tokens
from magpie.data.errors import BadInput, BadSetting, Conflict, NotFound
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.cli import main as cli
from magpie.web.middleware.access import is_loopback
from magpie.web.middleware.owner_link import cookie_name, is_link_code, is_owners_cookie, owner_link, owners_cookie
from magpie.web.serve import _check_doors
from tests.support.serving import client_of

AWAY = {"REMOTE_ADDR": "192.0.2.7"}
ITEM = {"title": "x"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As they are unless somebody says otherwise: nobody is trusted for where they come from."""
    return settings.model_copy(update={"trust_loopback": False})


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with opened(settings) as app:
        yield app


@contextmanager
def opened(settings: Settings, **changes: object) -> Iterator[Flask]:
    app = create_app(settings.model_copy(update=changes))
    yield app
    app.extensions["magpie"].close()


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
    assert client.put("/api/items/x", json=ITEM).status_code == 401
    bears = bearing(create_token(database, "one", ["write"]))
    time.sleep(1.1)
    assert client.put("/api/items/x", json=ITEM, headers=bears).status_code == 201
    revoke_token(database, "one")
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


# ---- the owner ----


def test_the_owners_token_opens_everything_and_no_other_home(app: Flask, settings: Settings, tmp_path: Path) -> None:
    client, file = client_of(app), settings.home / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    own, other = make_owner_token(settings.home), make_owner_token(tmp_path / "another home")
    assert file.read_text() == own + "\n" and own != other
    assert client.put("/api/items/x", json=ITEM, headers=bearing(own), environ_base=AWAY).status_code == 201
    assert client.get("/insights", headers=bearing(own)).status_code == 200
    assert client.put("/api/items/x", json=ITEM, headers=bearing(other)).status_code == 401


def test_a_deleted_owners_token_opens_nothing_and_another_is_made(app: Flask, settings: Settings) -> None:
    old, cookies = make_owner_token(settings.home), client_of(app)
    cookies.get(urlsplit(owner_link("http://localhost/", old))._replace(scheme="", netloc="").geturl())
    assert cookies.get("/insights").status_code == 200
    (settings.home / FILE).unlink()
    time.sleep(1.1)
    new = make_owner_token(settings.home)
    assert client_of(app).get("/metrics", headers=bearing(old)).status_code == 401
    assert cookies.get("/insights").status_code == 401
    assert client_of(app).get("/metrics", headers=bearing(new)).status_code in (200, 401)  # within a second
    time.sleep(1.1)
    assert client_of(app).get("/metrics", headers=bearing(new)).status_code == 200


@pytest.mark.parametrize("content", ["", "\n", "secret", "magpie_short", "\0"])
def test_a_file_that_holds_no_token_opens_nothing(settings: Settings, content: str) -> None:
    settings.home.mkdir(parents=True)
    (settings.home / FILE).write_text(content)
    assert read_owner_token(settings.home) == ""
    with pytest.raises(BadSetting, match=FILE):
        make_owner_token(settings.home)


def test_others_may_not_read_the_file_for_long(settings: Settings) -> None:
    made, file = make_owner_token(settings.home), settings.home / FILE
    file.chmod(0o644)
    assert read_owner_token(settings.home) == made and file.stat().st_mode & 0o777 == 0o600


def test_a_link_lets_a_browser_in_once_to_read(app: Flask, settings: Settings) -> None:
    link = owner_link("http://localhost/", make_owner_token(settings.home)).removeprefix("http://localhost")
    browser, thief = client_of(app), client_of(app)
    assert browser.head(link).status_code == 303 and browser.get("/insights").status_code == 401  # nothing spent yet
    answer = browser.get(link)
    assert answer.status_code == 303 and answer.headers["Location"] == "/insights"
    said = answer.headers["Set-Cookie"]
    assert (
        "HttpOnly" in said and "SameSite=Lax" in said and "Path=/" in said and "no-store" in str(answer.cache_control)
    )
    assert answer.headers["Referrer-Policy"] == "same-origin" and make_owner_token(settings.home) not in said
    assert browser.get("/insights").status_code == browser.get("/metrics").status_code == 200
    assert b'href="/insights"' in browser.get("/me").data
    assert browser.put("/api/items/x", json=ITEM).status_code == 401  # a cookie comes with forged requests, too
    assert thief.get(link).status_code == 403 and thief.get("/insights").status_code == 401


def test_a_link_is_good_for_an_hour_a_cookie_for_a_month(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_owner_token(settings.home)
    code = parse_qs(urlsplit(owner_link("http://localhost/", token)).query)["code"][0]
    cookie, now = owners_cookie(token), time.time()
    for is_good, later in ((True, 3_590), (False, 3_610)):
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self, later=later: int(now + later))
        assert is_link_code(code, token) == is_good
    for is_good, days in ((True, 29), (False, 31)):
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self, days=days: int(now + 86_400 * days))
        assert is_owners_cookie(cookie, token) == is_good


@pytest.mark.parametrize("code", ["", "x", "owner.x.y", "x" * 3_000, "\0", "é"])
def test_made_up_links_and_cookies_open_nothing(app: Flask, settings: Settings, code: str) -> None:
    token, client = make_owner_token(settings.home), client_of(app)
    assert client.get("/owner", query_string={"code": code}).status_code == 403
    assert not is_owners_cookie(code, token) and not is_link_code(owners_cookie(token), token)
    client.set_cookie(cookie_name(token), code or "x")
    assert client.get("/insights").status_code == 401


def test_the_command_line_prints_a_link(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(settings.home), "token", "link"]
    assert cli.run([*home, "--url", "https://shop.example/search/"]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith("https://shop.example/search/owner?code=")
    assert is_link_code(parse_qs(urlsplit(link).query)["code"][0], make_owner_token(settings.home))
    assert cli.run([*home, "--url", "shop.example"]) == 2


def test_a_start_tells_the_way_in_to_a_terminal_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from magpie.web.cli.serve import _announce

    _announce(settings, "http://127.0.0.1:8000/")
    assert "owner" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    _announce(settings, "http://127.0.0.1:8000/")
    out = capsys.readouterr().out
    assert "http://127.0.0.1:8000/owner?code=" in out and make_owner_token(settings.home) not in out


# ---- this machine ----

RELAYED = [
    *("Via", "CDN-Loop", "Forwarded", "Client-IP", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP"),
    *("CF-Connecting-IP", "Fastly-Client-IP", "Fly-Client-IP", "X-Envoy-External-Address", "X-ProxyUser-Ip"),
    *("X-Original-Host", "X-Original-Forwarded-For", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Amzn-Trace-Id", "X-Azure-ClientIP"),
]


@pytest.mark.parametrize(
    "how",
    [
        {"environ_base": AWAY},
        *({"headers": {name: "127.0.0.1"}} for name in RELAYED),
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
        {"headers": {"Origin": "https://attacker.example"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Host": "attacker.example"}},
        {"headers": {"Host": "0.0.0.0:8000"}},
    ],
)
def test_what_is_relayed_or_from_another_site_is_not_trusted(trusting: Flask, how: dict[str, Any]) -> None:
    client = client_of(trusting)
    assert client.put("/api/items/x", json=ITEM, **how).status_code == 401
    assert client.get("/metrics", **how).status_code == 401


@pytest.fixture
def trusting(settings: Settings) -> Iterator[Flask]:
    with opened(settings, trust_loopback=True) as app:
        yield app


def test_this_machine_writes_and_measures_only_where_the_owner_says_so(trusting: Flask, app: Flask) -> None:
    for where, writes, measures in ((trusting, 201, 200), (app, 401, 401)):
        client = client_of(where)
        assert client.put("/api/items/x", json=ITEM, headers={"Origin": "http://localhost"}).status_code == writes
        assert client.get("/metrics").status_code == measures
    assert client_of(trusting).get("/metrics", headers=bearing("wrong")).status_code == 401


def test_a_trusted_machine_with_a_proxy_on_it_is_refused(settings: Settings) -> None:
    for proxies, is_refused in (("127.0.0.1", True), ("127.0.0.0/8", True), ("::1", True), ("10.0.0.1", False)):
        asked = settings.model_copy(update={"trust_loopback": True, "trusted_proxies": proxies})
        with pytest.raises(BadSetting, match="TRUST_LOOPBACK") if is_refused else nullcontext():
            _check_doors(asked)


@pytest.mark.parametrize(
    "kind", ["text/plain; charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("address", ["/api/events", "/api/items"])
def test_nothing_is_written_by_what_a_form_of_another_site_can_send(trusting: Flask, address: str, kind: str) -> None:
    sent = client_of(trusting).post(
        address, data=b'[{"action_name": "click", "item_id": "x", "title": "x"}]', content_type=kind
    )
    assert sent.status_code == 415


@pytest.mark.parametrize(
    ("address", "is_own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x", False)],
)
def test_loopback_is_this_machine(address: str, is_own: bool) -> None:
    assert is_loopback(address) == is_own
