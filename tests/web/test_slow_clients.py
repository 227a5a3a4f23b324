"""The server under clients that are slow, vanish, or are too many: whoever behaves is answered all the same."""

import json
import shutil
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from magpie.data.database.connection import open_database
from magpie.data.events.event_log import EventLog
from magpie.data.settings import Settings
from magpie.web.server.refusals import MAX_HEAD_BYTES
from tests.support.serving import Server, serving

pytestmark = pytest.mark.slow

THREADS = 2
PATIENCE_S = 30.0  # far longer than any answer takes, far shorter than slow clients would hold it up
GET = b"GET /api/search?q=red+ball&k=5 HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("slow") / "home"
    shutil.copytree(shop.home, home)
    with serving(home, MAGPIE_THREADS=str(THREADS), MAGPIE_MAX_WAITING="2") as running:
        yield running


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)


def answer_to(server: Server, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of the first answer to these bytes."""
    with connect(server) as line:
        for part in parts:
            line.sendall(part)
        return read_answer(line)


def read_answer(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += line.recv(65_536) or pytest.fail(f"cut after {received!r}")
    head, body = received.split(b"\r\n\r\n", 1)
    first, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65_536) or pytest.fail("cut in the body")
    return int(first.split(" ")[1]), headers, body


def assert_searches(server: Server) -> None:
    """Asks until it is answered: as long as others have requests waiting, 503 is an honest answer too."""
    until = time.monotonic() + PATIENCE_S
    while (found := answer_to(server, GET + b"\r\n"))[0] == 503 and time.monotonic() < until:
        time.sleep(0.1)
    assert found[0] == 200 and len(json.loads(found[2])["hits"]) == 5


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /api/sea",
        GET + b"X-Slow: ",
        b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{",
        GET + b"\r\nGET /api/",  # a whole request, and the beginning of the next one
    ],
)
def test_clients_that_do_not_finish_hold_nobody_up(server: Server, beginning: bytes) -> None:
    lines = [connect(server) for _ in range(5 * THREADS)]
    try:
        for line in lines:
            line.sendall(beginning)
        assert_searches(server)
    finally:
        for line in lines:
            line.close()
    assert_searches(server)


def test_clients_that_do_not_read_hold_nobody_up(server: Server) -> None:
    lines = [connect(server) for _ in range(5 * THREADS)]
    try:
        for line in lines:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall((b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n") * 40)
        assert_searches(server)
    finally:
        for line in lines:
            line.close()


def test_a_request_in_many_pieces_is_one_request(server: Server) -> None:
    body = json.dumps({"query": "red ball", "k": 3}).encode()
    head = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    until = time.monotonic() + PATIENCE_S
    while (found := answer_to(server, *(whole[at : at + 7] for at in range(0, len(whole), 7))))[0] == 503:
        assert time.monotonic() < until  # what the clients before had asked is still worked on
    status, _, answer = found
    assert status == 200 and len(json.loads(answer)["hits"]) == 3


def test_requests_sent_at_once_are_answered_in_their_order(server: Server) -> None:
    with connect(server) as line:
        line.sendall(
            b"GET /api/items/ball-red HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET + b"Connection: close\r\n\r\n"
        )
        received = b""
        while piece := line.recv(65_536):
            received += piece
    assert received.count(b"HTTP/1.1 200") == 2
    assert received.index(b'"item_id":"ball-red"') < received.index(b'"hits"')


def test_a_client_that_asks_for_a_go_ahead_gets_one(server: Server) -> None:
    body = json.dumps({"query": "red"}).encode()
    with connect(server) as line:
        line.sendall(
            b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert line.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(body)
        assert b" 200 OK" in line.recv(65_536)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET + b"X: " + b"a" * MAX_HEAD_BYTES, 431),
        (b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\n\r\n", 413),
        (b"GET /api/search?q=" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (GET + b"Expect: the impossible\r\n\r\n", 417),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n", 505),
        (GET + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (GET + b"Content-Length: -5\r\n\r\n", 400),
        (GET + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nabcde", 400),
    ],
)
def test_what_is_no_good_request_is_refused(server: Server, sent: bytes, status: int) -> None:
    found, headers, body = answer_to(server, sent)
    assert found == status
    assert headers["content-type"] == "application/problem+json" and json.loads(body)["status"] == status
    assert_searches(server)


def test_who_sends_nonsense_leaves_neither_address_nor_words_in_the_log(server: Server) -> None:
    answer_to(server, GET + b"Authorization : Bearer secret-words\r\n\r\n")
    answer_to(server, b"GET /?q=secret-words HTTP/9.9\r\nHost: localhost\r\n\r\n")
    log = server.log.read_text()
    assert "secret-words" not in log and "127.0.0.1 " not in log and "ip=" not in log


def test_who_sends_far_too_much_still_sees_the_answer(server: Server) -> None:
    with connect(server) as line:
        line.sendall(b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n")
        for _ in range(200):
            line.sendall(b"x" * 100_000)
        assert read_answer(line)[0] == 413


def test_more_than_may_wait_is_refused_at_once_and_then_all_is_well(server: Server) -> None:
    found: list[tuple[int, dict[str, Any]]] = []

    def ask() -> None:
        for _ in range(20):
            status, headers, _ = answer_to(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            found.append((status, headers))

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24 * 20 and {status for status, _ in found} == {200, 503}
    assert all(headers["retry-after"] == "1" for status, headers in found if status == 503)
    assert_searches(server)
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=PATIENCE_S) as answer:
        assert b'magpie_refused_total{status="503"}' in answer.read()


def test_at_the_end_requests_on_their_way_are_answered(own_shop: Settings) -> None:
    body = json.dumps({"query": "red ball", "k": 3}).encode()
    head = b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with serving(own_shop.home, MAGPIE_THREADS="1") as ending, connect(ending) as slow, connect(ending) as idle:
        lines = [connect(ending) for _ in range(12)]
        slow.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        for line in lines:
            line.sendall(GET + b"\r\n")
        assert_searches(ending)  # so all that was sent before has come
        ending.process.terminate()
        slow.sendall(body)
        assert [read_answer(line)[0] for line in (*lines, slow)] == [200] * 13
        assert idle.recv(1) == b""
        assert ending.process.wait(PATIENCE_S) == 0
        for line in lines:
            line.close()
    with closing(open_database(own_shop)) as database:
        assert EventLog(database).counts()["queries"] >= 14  # what waited to be logged is on disk
