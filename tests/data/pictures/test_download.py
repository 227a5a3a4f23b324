"""Pictures named by address: from whom they are fetched, from whom never, and what a host can do to whoever asks it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.errors import BadSetting, NotFetched
from magpie.data.pictures import download as picture_fetching
from magpie.data.pictures.download import FetchPolicy, PictureFetcher
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.pictures.url_rules import is_public, parse_address, parse_rules
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of

HOST = "pictures.example"
LOOPBACK = "127.0.0.1"


def png(colour: str = "red") -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


class Shop(BaseHTTPRequestHandler):
    """Answers each path with what `answers` has for it: a body, or a function that does as it likes."""

    answers: ClassVar[dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Host"]))
        answer = self.answers.get(self.path)
        if callable(answer):
            answer(self)
        elif answer is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Of a host on this machine."""
    Shop.answers, Shop.asked = {"/red.png": png()}, []
    server = ThreadingHTTPServer((LOOPBACK, 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def redirect(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


@pytest.fixture
def fetcher(tmp_path: Path, port: int) -> Iterator[PictureFetcher]:
    """Believes that the host's name means this machine, and may connect there."""
    policy = FetchPolicy(
        parse_rules(f"{HOST}:{port}"),
        max_bytes=100_000,
        max_pixels=1_000_000,
        whole_s=2.0,
        resolve=lambda host, port: [LOOPBACK],
        may_connect=lambda address: True,
    )
    with closing(PictureSandbox()) as decoder:
        yield PictureFetcher(tmp_path, policy, decoder)


def changed(fetcher: PictureFetcher, **policy: object) -> PictureFetcher:
    """The same with another policy."""
    wanted = replace(fetcher._policy, **policy)  # type: ignore[arg-type]
    return PictureFetcher(fetcher._images.parent, wanted, fetcher._decoder)


# ---- which addresses ----


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.0.8", "192.88.99.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "localhost", "",
    ],
)  # fmt: skip
def test_addresses_that_are_nobodys_on_the_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_hosts_on_the_internet(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_as_public_as_the_one_in_it(address: object) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))


RULES = parse_rules("cdn.example, .shop.example, odd.example:8080, müller.example, 93.184.216.34")


@pytest.mark.parametrize(
    "address",
    [
        "https://cdn.example/a.jpg?w=3",
        "http://CDN.example./a.jpg",
        "https://a.b.shop.example/x",
        "http://odd.example:8080/",
        "https://xn--mller-kva.example/",
        "https://müller.example/a",
        "https://93.184.216.34/a",
    ],
)
def test_hosts_that_are_named_are_asked(address: str) -> None:
    assert parse_address(address, RULES).host


@pytest.mark.parametrize(
    "address",
    [
        "https://other.example/a",
        "https://cdn.example:444/a",
        "https://cdn.example.evil.example/a",
        "https://evilcdn.example/a",
        "https://shop.example/a",  # .shop.example means those below it
        "https://evilshop.example/a",
        "http://odd.example/",
        "https://cdn.example@evil.example/a",
        "https://user:secret@cdn.example/a",
        "file:///etc/passwd",
        "gopher://cdn.example/",
        "https:///a",
        "https://cdn.example\\@evil.example/",
        "https://cdn.example/a b",
        "https://cdn.example/a\r\nHost: evil.example",
        "https://[::1/",
        "https://cdn.example:99999/",
        "https://2130706433/",
        "https://cdn.example/" + "a" * 5_000,
    ],
)
def test_all_others_are_not(address: str) -> None:
    with pytest.raises(NotFetched):
        parse_address(address, RULES)


@given(st.text(max_size=60))
def test_any_text_is_an_address_of_a_named_host_or_refused(text: str) -> None:
    try:
        target = parse_address(f"https://{text}", RULES)
    except NotFetched:
        return
    assert any(rule.covers(target) for rule in RULES)


@pytest.mark.parametrize("text", ["*", "*.example", "https://cdn.example", "cdn.example/path", "cdn.example:x", "."])
def test_what_names_no_host_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="MAGPIE_PICTURE_HOSTS"):
        parse_rules(text)


# ---- what a host answers ----


def test_a_picture_is_fetched_once_and_kept_by_its_content(fetcher: PictureFetcher, port: int) -> None:
    address = f"http://{HOST}:{port}/red.png"
    path = fetcher.fetch(address)
    assert path.read_bytes() == png() and path.parent.name == "images"
    assert fetcher.fetch(address) == path
    assert Shop.asked == [("/red.png", f"{HOST}:{port}")]


def test_after_some_days_it_is_fetched_again_and_an_old_one_is_better_than_none(
    fetcher: PictureFetcher, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://{HOST}:{port}/red.png"
    first = fetcher.fetch(address)
    monkeypatch.setattr(picture_fetching, "FETCH_AGAIN_AFTER_S", 0.0)
    Shop.answers["/red.png"] = png("blue")
    assert fetcher.fetch(address).read_bytes() == png("blue") != first.read_bytes()
    del Shop.answers["/red.png"]
    assert fetcher.fetch(address).read_bytes() == png("blue")


def test_names_that_lead_inside_are_not_followed(fetcher: PictureFetcher, port: int) -> None:
    careful = changed(fetcher, may_connect=is_public)
    with pytest.raises(NotFetched, match="no public address"):
        careful.fetch(f"http://{HOST}:{port}/red.png")
    half = changed(careful, resolve=lambda host, port: ["93.184.216.34", "169.254.169.254"])
    with pytest.raises(NotFetched, match="no public address"):
        half.fetch(f"http://{HOST}:{port}/red.png")
    assert Shop.asked == []


def test_a_name_is_resolved_once_and_the_connection_goes_there(fetcher: PictureFetcher, port: int) -> None:
    """A name that means another address a moment later (DNS rebinding) gains nothing."""
    answers = iter([[LOOPBACK]])
    pinned = changed(fetcher, resolve=lambda host, port: next(answers))
    assert pinned.fetch(f"http://{HOST}:{port}/red.png").is_file()
    assert next(answers, None) is None


def test_redirects_pass_every_check_and_are_few(fetcher: PictureFetcher, port: int) -> None:
    there = f"http://{HOST}:{port}"
    Shop.answers |= {
        "/moved": redirect("/red.png"),
        "/away": redirect("http://169.254.169.254/latest/meta-data"),
        "/other-port": redirect(f"http://{HOST}:1/red.png"),
        "/file": redirect("file:///etc/passwd"),
        "/round": redirect("/round"),
    }
    assert fetcher.fetch(f"{there}/moved").read_bytes() == png()
    for path in ("/away", "/other-port", "/file", "/round"):
        with pytest.raises(NotFetched):
            fetcher.fetch(there + path)
    assert [path for path, _ in Shop.asked].count("/round") == picture_fetching.MOST_REDIRECTS + 1


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"\x89PNG" * 20_000)


def drip(request: BaseHTTPRequestHandler, stop: threading.Event) -> None:
    request.send_response(200)
    request.end_headers()
    while not stop.wait(0.05):
        request.wfile.write(b"x")


def drip_headers(request: BaseHTTPRequestHandler, stop: threading.Event) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stop.wait(0.05):
        request.wfile.write(b"x")


def cut(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    request.wfile.write(png())


def test_hosts_that_send_too_much_too_slowly_or_no_picture(fetcher: PictureFetcher, port: int) -> None:
    stop = threading.Event()
    hasty = changed(fetcher, whole_s=0.4)
    Shop.answers |= {
        "/endless": endless,
        "/drip": partial(drip, stop=stop),
        "/drip-headers": partial(drip_headers, stop=stop),
        "/cut": cut,
        "/text": b"<html>no picture</html>",
        "/svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "/truncated": png()[:40],
    }
    try:
        found = hasty.fetch_all([f"http://{HOST}:{port}{path}" for path in (*Shop.answers, "/nothing")])
    finally:
        stop.set()
    assert [address.rsplit("/", 1)[1] for address, file in found.items() if isinstance(file, Path)] == ["red.png"]
    assert "100,000 bytes" in str(found[f"http://{HOST}:{port}/endless"])
    assert len(list(hasty._images.iterdir())) == 1


def test_a_host_that_does_not_answer_is_not_asked_for_ever(fetcher: PictureFetcher) -> None:
    with socket.socket() as nobody:
        nobody.bind((LOOPBACK, 0))
        there = f"{HOST}:{nobody.getsockname()[1]}"
        deaf = changed(fetcher, rules=parse_rules(there))
        found = deaf.fetch_all(f"http://{there}/{n}.png" for n in range(60))
    reasons = [str(reason) for reason in found.values()]
    assert reasons[-1] == "was not fetched: its host did not answer before"
    assert sum("(" in reason for reason in reasons) <= picture_fetching.GIVE_UP_AFTER + picture_fetching.AT_ONCE


# ---- feeds and requests ----


def test_without_named_hosts_nothing_is_asked(catalogue: Catalogue, port: int, tmp_path: Path) -> None:
    faults: list[str] = []
    from magpie.data.catalogue.upsert import UpsertWatch

    draft = ItemDraft("a", "A", pictures=(f"http://localhost:{port}/red.png",))
    counts = catalogue.upsert([draft], tmp_path, UpsertWatch(on_fault=lambda fault: faults.append(fault.reason)))
    assert counts.images_missing == 1 and "MAGPIE_PICTURE_HOSTS" in faults[0] and Shop.asked == []


def test_even_a_named_host_is_not_asked_at_a_private_address(settings: Settings, port: int, tmp_path: Path) -> None:
    with closing(PictureSandbox()) as decoder:
        fetcher = PictureFetcher.of(settings.model_copy(update={"picture_hosts": f"localhost:{port}"}), decoder)
        with pytest.raises(NotFetched, match="no public address"):
            fetcher.fetch(f"http://localhost:{port}/red.png")
    assert Shop.asked == []


@pytest.fixture
def app(own_shop: Settings, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """A server that may fetch from the host on this machine."""
    monkeypatch.setattr(
        PictureFetcher,
        "of",
        lambda settings, decoder: PictureFetcher(
            settings.home,
            FetchPolicy(
                parse_rules(settings.picture_hosts), 100_000, 1_000_000, 2.0, lambda *_: [LOOPBACK], lambda _: True
            ),
            decoder,
        ),
    )
    opened = create_app(own_shop.model_copy(update={"picture_hosts": f"{HOST}:{port}"}))
    yield opened
    opened.extensions["magpie"].close()


def test_items_over_http_may_name_their_pictures(app: Flask, port: int) -> None:
    client, address = client_of(app), f"http://{HOST}:{port}/red.png"
    item = client.put("/api/items/new", json={"title": "New", "images": [address]}).get_json()
    assert client.get(item["images"][0]["url"]).data == png()
    kept = client.put("/api/items/new", json={"title": "Newer"}).get_json()
    assert kept["images"] == item["images"]
    refused = client.put("/api/items/other", json={"title": "x", "images": ["http://localhost/x.png"]})
    assert refused.status_code == 422 and "MAGPIE_PICTURE_HOSTS" in refused.get_json()["detail"]
    assert client.get("/api/items/other").status_code == 404
    for wrong in ("/etc/passwd", "file:///etc/passwd", "../x.png"):
        assert client.put("/api/items/other", json={"title": "x", "images": [wrong]}).status_code == 400


def test_many_items_over_http_may_name_their_pictures(app: Flask, port: int) -> None:
    client, there = client_of(app), f"http://{HOST}:{port}"
    items = [{"item_id": name, "title": name, "images": [f"{there}/{name}.png"]} for name in ("red", "gone")]
    assert client.post("/api/items", json=items).get_json()["images_missing"] == 1
    lines = b'{"item_id": "c", "title": "c", "images": ["%s/gone.png"]}' % there.encode()
    answer = client.post("/api/items", data=lines, content_type="application/x-ndjson")
    assert "without a picture" in answer.get_data(as_text=True) and '"inserted"' in answer.get_data(as_text=True)
