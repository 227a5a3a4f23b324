"""Heads of requests: each is read in one way or refused, and never is a byte of a body read as a request."""

import json
import re
import shutil
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from magpie.data.settings import Settings
from magpie.web.server.refusals import MAX_HEADERS, Refusal
from magpie.web.server.request_head import Request, checked_head
from tests.support.serving import Server, serving

HOST = b"Host: localhost\r\n"
INNER = b"GET /api/search?q=ball&k=1 HTTP/1.1\r\n" + HOST + b"\r\n"
LENGTH = b"%d" % len(INNER)
ADJUSTMENTS = Adjustments(max_request_body_size=1001, max_request_header_size=65_536)


def post(*lines: bytes, body: bytes = INNER) -> bytes:
    """A request whose body looks like another request."""
    fields = b"".join(line + b"\r\n" for line in lines)
    return b"POST /api/events HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" + fields + b"\r\n" + body


ODD_LENGTHS = [
    b"-" + LENGTH, b"+" + LENGTH, hex(len(INNER)).encode(), LENGTH + b"abc", LENGTH + b"\0", b"\x0b" + LENGTH,
    LENGTH + b";", b"1e2", b"1_0", LENGTH + b".0", b"", b"-0", b"\0", b"9" * 24, b"9" * 5000,
    LENGTH[:1] + b" " + LENGTH[1:],
    b"3, " + LENGTH, LENGTH + b", " + LENGTH, "４７".encode(), b"\x85" + LENGTH,
]  # fmt: skip
ODD_HEADS = {
    **{f"length {value[:12]!r}": post(b"Content-Length: " + value) for value in ODD_LENGTHS},
    "two lengths": post(b"Content-Length: " + LENGTH, b"Content-Length: 3"),
    "two lengths, the other way": post(b"Content-Length: 3", b"Content-Length: " + LENGTH),
    "folded length": post(b"Content-Length:\r\n " + LENGTH),
    "length folded inside": post(b"Content-Length: " + LENGTH[:1] + b"\r\n " + LENGTH[1:]),
    "blank before the colon": post(b"Content-Length : " + LENGTH),
    "length and coding": post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nX" + INNER),
    "coding and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + INNER),
    "coding alone": post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + INNER),
    "coding in HTTP/1.0": post(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "unknown coding": post(b"Transfer-Encoding: xchunked", b"Content-Length: 4"),
    "folded coding": post(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 4"),
    "bare CR": post(b"X-A: a\rContent-Length: " + LENGTH),
    "bare LF": post(b"X-A: a\nContent-Length: " + LENGTH),
    "NUL in a header": post(b"X-A: a\0b"),
    "NUL in the address": b"GET /heal\0thz HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n" + INNER,
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + INNER,
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\n" + HOST + b"\r\n" + INNER,
    "HTTP/0.9": b"GET /healthz\r\n\r\n" + INNER,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
    "small letters": b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "half an address": b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "a proxy's line": b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n" + INNER,
    "too many headers": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n" * MAX_HEADERS + b"\r\n" + INNER,
}


@pytest.fixture(scope="module")
def server(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("heads") / "home"
    shutil.copytree(shop.home, home)
    with serving(home) as running:
        yield running


def exchange(server: Server, sent: bytes) -> bytes:
    """All that is answered until the server ends the line."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall(sent)
        while piece := line.recv(65_536):
            received += piece
    return received


@pytest.mark.parametrize("name", ODD_HEADS)
def test_what_can_be_read_in_two_ways_is_refused_once_and_the_line_ends(server: Server, name: str) -> None:
    received = exchange(server, ODD_HEADS[name])
    (status,) = re.findall(rb"HTTP/1\.1 (\d{3}) ", received)
    assert int(status) in (400, 411, 413, 431, 501, 505)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head and json.loads(body)["status"] == int(status)


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: " + LENGTH.zfill(30),
        b"Content_Length: 0\r\nContent-Length: " + LENGTH,
        b"Transfer_Encoding: chunked\r\nContent-Length: " + LENGTH,
        b"Content-Length: \t" + LENGTH + b" \t",
    ],
)
def test_what_can_be_read_in_one_way_is_read_so(server: Server, line: bytes) -> None:
    received = exchange(server, post(line) + b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", received) == [b"400", b"200"]  # the body is no JSON
    assert received.endswith(b'{"status":"ok"}\n')


def test_forwarding_headers_and_prefixes_are_not_believed(server: Server) -> None:
    names = (b"X-Forwarded-Host", b"X-Forwarded-Prefix", b"SCRIPT_NAME", b"Script-Name")
    forged = b"".join(name + b": /evil\r\n" for name in names) + b"X-Forwarded-Proto: https\r\n"
    asked = b"GET /?q=ball HTTP/1.1\r\n" + HOST + b"Connection: close\r\n" + forged + b"\r\n"
    received = exchange(server, asked)
    assert received.startswith(b"HTTP/1.1 200") and b"evil" not in received and b"https://localhost" not in received


# ---- without a server ----


def read(data: bytes) -> Request:
    request = Request(ADJUSTMENTS)
    while data and not request.completed:
        data = data[request.received(data) :]
    return request


@given(st.integers(0, len(post(b"Content-Length: " + LENGTH))))
def test_a_request_is_complete_when_all_of_it_has_come(cut: int) -> None:
    whole = post(b"Content-Length: " + LENGTH)
    request = read(whole[:cut])
    assert request.completed == (cut == len(whole)) and request.error is None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    request = read(b"GET / HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n\r\n")
    assert request.error is None or isinstance(request.error, Refusal)
    assert read(data + b"\r\n\r\n\r\n").error is None or isinstance(read(data + b"\r\n\r\n").error, Refusal | None)


def test_heads_are_read_in_linear_time() -> None:
    """Waitress' expressions are quadratic in blanks before a value, and in the length of the first line."""
    blanks = b" " * 60_000
    assert checked_head(b"GET / HTTP/1.1\r\nX:" + blanks + b"a\r\n\r\n") == b"GET / HTTP/1.1\r\nX: a\r\n\r\n"
    for odd in (b"X:" + blanks + b"\0", b"X: a\r\n" + blanks + b"b"):
        assert read(b"GET / HTTP/1.1\r\nHost: a\r\n" + odd + b"\r\n\r\n").error.code == 400
    assert read(b"GET a://" + b"1" * 60_000 + b" x\r\nHost: a\r\n\r\n").error.code == 414
    assert read(b"GET a://" + b"1" * 8_000 + b" x\r\nHost: a\r\n\r\n").error.code == 400
