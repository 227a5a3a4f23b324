"""Pages of other origins send clicks as text/plain, by beacons and by fetch: those that are named, and no others."""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import Client, Server, client_of, free_port, serving
from tests.web.api.test_api import stored

SHOP = "https://shop.example"
EVENT = b'{"action_name": "view", "event_id": "e-1"}'
AS_TEXT = {"Content-Type": "text/plain;charset=UTF-8"}
PAGE = """<!doctype html><title>A shop</title><script>
const api = "%s", event = (way) => JSON.stringify({ action_name: "click", event_id: way });
addEventListener("pagehide", () => navigator.sendBeacon(api, event("leaving")));
(async () => {
  navigator.sendBeacon(api, event("beacon"));
  navigator.sendBeacon(api, new Blob([event("blob")], { type: "text/plain" }));
  await fetch(api, { method: "POST", body: event("fetch"), keepalive: true }).catch(() => {});
  document.title = "done";
})();
</script>"""
WAYS = {"beacon", "blob", "fetch", "leaving"}


@contextmanager
def site(page: str, port: int) -> Iterator[str]:
    """Another site, with this page at every address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


def test_clicks_of_a_named_origin_arrive_and_no_others(browser: Any, shop: Settings, tmp_path: Path) -> None:
    home, named = tmp_path / "home", free_port()
    shutil.copytree(shop.home, home)
    with ExitStack() as opened:
        server = opened.enter_context(serving(home, MAGPIE_ALLOWED_ORIGINS=f"http://127.0.0.1:{named}"))
        page_source = PAGE % f"{server.url}/api/events"
        shops = [
            opened.enter_context(site(page_source.replace("event_id: way", f'event_id: "{name}-" + way'), port))
            for name, port in (("stranger", free_port()), ("named", named))
        ]
        for address in shops:
            page = browser.new_page()
            page.goto(address)
            page.wait_for_function("document.title === 'done'")
            page.goto("about:blank")
            page.wait_for_timeout(200)
            page.close()
        deadline = time.monotonic() + 10
        while sum(answered(server).values()) < 2 * len(WAYS) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert answered(server) == {"200": len(WAYS), "403": len(WAYS)}
        told = {one["event_id"] for one in stored(Settings(home=home)) if one.get("action_name") == "click"}
        assert told == {f"named-{way}" for way in WAYS}


def answered(server: Server) -> dict[str, int]:
    """How many events were answered, by status."""
    with urlopen(f"{server.url}/metrics") as answer:
        lines = answer.read().decode()
    counted = r'^magpie_request_seconds_count\{.*route="/api/events",status="(\d+)"\} (\d+)'
    return {status: int(count) for status, count in re.findall(counted, lines, re.MULTILINE)}


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    app = create_app(settings.model_copy(update={"allowed_origins": SHOP, "trusted_proxies": "10.0.0.1"}))
    yield client_of(app)
    app.extensions["magpie"].close()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (SHOP, 200),
        ("http://localhost", 200),
        ("https://localhost", 403),
        ("http://localhost:8000", 403),
        ("http://shop.example", 403),
        ("https://shop.example.evil.example", 403),
        ("https://shop.example:8443", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 415),
    ],
)
def test_text_is_taken_from_known_pages_only(client: Client, settings: Settings, origin: str, status: int) -> None:
    headers = {**AS_TEXT, **({"Origin": origin} if origin else {})}
    assert client.post("/api/events", data=EVENT, headers=headers).status_code == status
    assert len(stored(settings)) == (status == 200)


def test_the_own_origin_is_the_one_that_a_trusted_proxy_names(client: Client) -> None:
    named = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "search.example", "Origin": "https://search.example"}
    for peer, status in (("10.0.0.1", 200), ("127.0.0.1", 403)):
        answer = client.post("/api/events", data=EVENT, headers=AS_TEXT | named, environ_base={"REMOTE_ADDR": peer})
        assert answer.status_code == status


@pytest.mark.parametrize("body", [b"{not json", b'"a word"', b"[1, 2]", b"", b"action_name=click", b"\xff"])
def test_a_text_that_is_no_event_is_refused(client: Client, body: bytes) -> None:
    assert client.post("/api/events", data=body, headers={**AS_TEXT, "Origin": SHOP}).status_code == 400


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html"])
def test_no_other_kind_of_a_form_is_taken(client: Client, kind: str) -> None:
    assert client.post("/api/events", data=EVENT, headers={"Content-Type": kind, "Origin": SHOP}).status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/items", [{"item_id": "x", "title": "x"}]),
        ("PUT", "/api/items/x", {"title": "x"}),
        ("POST", "/api/search", {"query": "ball"}),
    ],
)
@pytest.mark.parametrize("origin", [SHOP, "http://localhost"])
def test_no_other_route_takes_text(client: Client, method: str, path: str, body: Any, origin: str) -> None:
    headers = {**AS_TEXT, "Origin": origin}
    assert client.open(path, method=method, data=json.dumps(body), headers=headers).status_code in (401, 415)
