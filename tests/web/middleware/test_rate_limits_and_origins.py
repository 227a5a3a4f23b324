"""How much may come from one place, whose word about addresses counts, and which other sites may ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import TooManyRequests

from magpie.data.database.api_tokens import create_token
from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.middleware.cors import parse_origins
from magpie.web.middleware.rate_limits import RateLimits, neighbourhood
from magpie.web.middleware.trusted_proxies import parse_networks
from magpie.web.shared.rate_counters import SharedCounters
from tests.support.serving import client_of

EVENT = {"action_name": "view"}
SHOP = "https://shop.example"


@contextmanager
def opened(settings: Settings, **changes: Any) -> Iterator[Flask]:
    app = create_app(settings.model_copy(update=changes))
    yield app
    app.extensions["magpie"].close()


def from_address(address: str, **headers: str) -> dict[str, Any]:
    return {"environ_base": {"REMOTE_ADDR": address}, "headers": {n.replace("_", "-"): v for n, v in headers.items()}}


# ---- rates ----


def test_each_address_has_a_limit_of_its_own(settings: Settings) -> None:
    with opened(settings, rate_limit="2 per hour") as app:
        client = client_of(app)
        for address in ("192.0.2.1", "192.0.2.2"):
            found = [client.post("/api/events", json=EVENT, **from_address(address)).status_code for _ in range(3)]
            assert found == [200, 200, 429]


def test_a_limit_belongs_to_the_client_wherever_it_is(settings: Settings) -> None:
    with opened(settings, client_rate_limit="2 per hour") as app:
        client = client_of(app)

        def send(address: str, *names: str) -> int:
            events = [{**EVENT, "client_id": name} for name in names]
            return client.post("/api/events", json=events, **from_address(address)).status_code

        assert send("192.0.2.1", "a", "a") == 200
        refused = client.post("/api/events", json={**EVENT, "client_id": "a"}, **from_address("192.0.2.2"))
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 60
        assert "MAGPIE_CLIENT_RATE_LIMIT" in refused.get_json()["detail"]
        assert send("192.0.2.1", "b") == 200 and send("192.0.2.1", "", "", "") == 200


def test_a_token_counts_by_itself(settings: Settings, database: Any) -> None:
    token = create_token(database, "shop", ["events"])
    with opened(settings, rate_limit="1 per hour") as app:
        client = client_of(app)
        bears = {"Authorization": f"Bearer {token}"}
        assert [client.get("/docs").status_code for _ in range(2)] == [200, 429]
        assert [client.get("/docs", headers=bears).status_code for _ in range(2)] == [200, 429]
        assert client.get("/docs", headers={"Authorization": "Bearer wrong"}).status_code == 429


def test_one_line_has_one_limit_however_many_addresses_it_has() -> None:
    assert neighbourhood("2001:db8:1:2::1") == neighbourhood("2001:db8:1:2:ffff::9") != neighbourhood("2001:db8:1:3::1")
    assert neighbourhood("::ffff:192.0.2.1") == "192.0.2.1" == neighbourhood("192.0.2.1")


def test_a_rate_that_is_none_is_named(settings: Settings) -> None:
    with pytest.raises(BadSetting, match="MAGPIE_RATE_LIMIT"):
        RateLimits(settings.model_copy(update={"rate_limit": "often"}), SharedCounters())
    limits = RateLimits(settings.model_copy(update={"rate_limit": "1 per hour"}), SharedCounters())
    limits.count_address("192.0.2.1")
    with pytest.raises(TooManyRequests):
        limits.count_address("192.0.2.1")


# ---- proxies ----


@pytest.mark.parametrize(
    ("proxies", "peer", "counted"),
    [
        (None, "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "192.0.2.9"),
        ("10.0.0.0/8, ::1", "10.1.2.3", "192.0.2.9"),
        ("10.0.0.0/8", "192.0.2.77", "192.0.2.77"),
    ],
)
def test_only_trusted_proxies_say_whose_a_request_is(
    settings: Settings, proxies: str | None, peer: str, counted: str
) -> None:
    with opened(settings, trusted_proxies=proxies, rate_limit="1 per hour") as app:
        client = client_of(app)
        # what stands before the last comma anybody can have written
        assert client.get("/docs", **from_address(peer, X_Forwarded_For="203.0.113.5, 192.0.2.9")).status_code == 200
        limits = app.extensions["magpie"].rate_limits
        with pytest.raises(TooManyRequests):
            limits.count_address(counted)


def test_through_a_trusted_proxy_nobody_is_this_machine(settings: Settings) -> None:
    with opened(settings, trusted_proxies="127.0.0.1") as app:
        sent = from_address("127.0.0.1", X_Forwarded_For="127.0.0.1", X_Forwarded_Host="localhost")
        assert client_of(app).put("/api/items/x", json={"title": "x"}, **sent).status_code == 401


def test_bad_lists_are_named() -> None:
    with pytest.raises(BadSetting, match="MAGPIE_TRUSTED_PROXIES"):
        parse_networks("my-proxy")
    for text in ("*", "shop.example", "https://shop.example/", "https://shop.example/path", "null"):
        with pytest.raises(BadSetting, match="MAGPIE_ALLOWED_ORIGINS"):
            parse_origins(text)


# ---- other sites ----


def test_no_other_site_is_let_in_unless_it_is_named(settings: Settings) -> None:
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    for origins, allowed in ((None, None), ("https://other.example", None), (f"https://other.example, {SHOP}", SHOP)):
        with opened(settings, allowed_origins=origins) as app:
            client = client_of(app)
            asked = client.options("/api/events", headers=asks)
            sent = client.post("/api/events", json=EVENT, headers={"Origin": SHOP})
            assert asked.headers.get("Access-Control-Allow-Origin") == allowed
            assert sent.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Access-Control-Allow-Credentials" not in sent.headers
            assert (asked.headers.get("Access-Control-Allow-Methods") == "POST") == bool(allowed)


def test_a_named_site_is_not_let_in_to_write_or_measure(settings: Settings) -> None:
    with opened(settings, allowed_origins=SHOP) as app:
        client = client_of(app)
        for address in ("/api/items", "/metrics", "/"):
            assert "Access-Control-Allow-Origin" not in client.options(address, headers={"Origin": SHOP}).headers
        asked = client.options("/api/items/x", headers={"Origin": SHOP, "Access-Control-Request-Method": "PUT"})
        assert asked.headers["Access-Control-Allow-Methods"] == "GET"
        assert client.put("/api/items/x", json={"title": "x"}, headers={"Origin": SHOP}).status_code == 401


def test_pictures_may_be_shown_by_other_sites_only_when_some_are_named(settings: Settings) -> None:
    for origins, policy in ((None, "same-origin"), (SHOP, "cross-origin")):
        with opened(settings, allowed_origins=origins) as app:
            answer = client_of(app).get("/pictures?item=x")
            assert answer.headers["Cross-Origin-Resource-Policy"] == policy
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
