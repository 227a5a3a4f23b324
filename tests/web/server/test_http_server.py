"""The HTTP server with a small application: who goes where there are too many, what is bounded, and how it ends."""

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from magpie.web.server import connection, http_server
from magpie.web.server.connection import Connection
from magpie.web.server.http_server import Server

WITHIN_S = 20.0  # far longer than anything here takes


class Served:
    """A server in a thread, of an application that tests may hold up, and its refusals' statuses."""

    def __init__(self, **options: int) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.refused: list[int] = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        limits = {"threads": 2, "max_waiting": 2, "max_body_bytes": 2_000_000} | options
        self.server = Server(self.answer, listener, on_refusal=self.refused.append, **limits)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()

    def answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/wait":
            self.begun.release()
            assert self.go.wait(WITHIN_S)
        if path.startswith("/fail"):
            raise RuntimeError(path)
        if path == "/file":
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"of a file"))  # type: ignore[no-any-return]
        body = b"x" * 30_000_000 if path == "/large" else environ["wsgi.input"].read() or path.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return self.in_parts(body) if path == "/parts" else [body]

    def in_parts(self, body: bytes) -> Iterator[bytes]:
        yield body[:1]
        self.begun.release()
        assert self.go.wait(WITHIN_S)
        yield body[1:]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN_S)

    def close(self) -> None:
        self.go.set()
        self.server.stop()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        self.server.close()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is closed after the test, lines before servers."""
    with ExitStack() as stack:
        yield stack


def serve(opened: ExitStack, **options: int) -> Served:
    served = Served(**options)
    opened.callback(served.close)
    return served


def ask(line: socket.socket, path: str = "/", *fields: str, body: bytes = b"") -> None:
    head = [f"GET {path} HTTP/1.1", "Host: localhost", *fields, f"Content-Length: {len(body)}"]
    line.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def read(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of one answer; status 0 where the line has ended."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = line.recv(65_536)
        if not piece:
            return 0, {}, received
        received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    first, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    while len(body) < int(headers["content-length"]):
        body += line.recv(65_536)
    return int(first.split(" ")[1]), headers, body


def promise(line: socket.socket, size: int, sent: bytes = b"") -> None:
    line.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + sent)


# ---- many lines ----


def test_the_longest_idle_line_makes_room_never_the_newest(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 10)
    served = serve(opened)
    lines = [opened.enter_context(served.connect()) for _ in range(10)]
    for line in lines:
        ask(line)
        assert read(line)[0] == 200
    ask(lines[0])
    assert read(lines[0])[0] == 200  # so the second has waited longest
    for _ in range(3):
        newcomer = opened.enter_context(served.connect())
        ask(newcomer)
        assert read(newcomer)[0] == 200
    assert [line.recv(1) for line in lines[1:4]] == [b""] * 3
    for line in (lines[0], *lines[4:], newcomer):
        ask(line)
        assert read(line)[0] == 200


def test_bytes_that_trickle_do_not_make_a_line_younger(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 10)
    served = serve(opened)
    slow = opened.enter_context(served.connect())
    promise(slow, 1_000_000, b"x")
    others = [opened.enter_context(served.connect()) for _ in range(9)]
    for line in others:
        ask(line)
        assert read(line)[0] == 200
    slow.sendall(b"x" * 100)
    newcomer = opened.enter_context(served.connect())
    ask(newcomer)
    assert read(newcomer)[0] == 200
    assert read_all(slow) == b""


def test_whoever_is_too_slow_is_told_so(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_WITHIN_S", 0.1)
    served = serve(opened)
    head, body, silent = (opened.enter_context(served.connect()) for _ in range(3))
    head.sendall(b"GET / HTTP/1.1\r\nHos")
    promise(body, 1_000_000, b"x" * 100)
    for line in (head, body):
        status, headers, said = read(line)
        assert (status, headers["content-type"], json.loads(said)["status"]) == (408, "application/problem+json", 408)
        assert line.recv(1) == b""
    assert silent.recv(1) == b""  # nothing was asked, nothing is answered
    assert served.refused == [408, 408]


def test_bytes_of_a_body_count_at_the_least_speed_and_never_ahead(opened: ExitStack) -> None:
    served = serve(opened)
    line = opened.enter_context(served.connect())
    promise(line, 1_000_000, b"x")
    wait_until(lambda: received_by(served) == 1)
    (seen,) = served.server.active_channels.values()
    began = seen.waits_since = seen.waits_since - 5
    line.sendall(b"x" * 20_000)
    wait_until(lambda: received_by(served) == 20_001)
    assert seen.waits_since == pytest.approx(began + 20_000 / connection.SLOWEST_BYTES_PER_S)
    line.sendall(b"x" * 100_000)
    wait_until(lambda: received_by(served) == 120_001)
    assert began + 5 <= seen.waits_since <= time.monotonic()


def received_by(served: Served) -> int:
    """Bytes of the only body that is coming in."""
    seen = list(served.server.active_channels.values())
    return sum(one.request.body_bytes_received for one in seen if one.request)


def wait_until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("setting", "path"), [("KEEP_ALIVE_S", "/"), ("STALLED_S", "/large")])
def test_who_asks_nothing_more_or_takes_no_answer_is_cut(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch, setting: str, path: str
) -> None:
    monkeypatch.setattr(connection, setting, 0.1)
    served = serve(opened)
    line = opened.enter_context(served.connect())
    ask(line, path)
    assert line.recv(1)  # the answer has begun
    wait_until(lambda: not served.server.active_channels)
    assert len(read_all(line)) < 30_000_000 and served.refused == []


# ---- much to hold ----


def test_promises_cost_nothing_and_what_has_come_is_bounded(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MAX_HELD_BYTES", 500_000)
    served = serve(opened)
    silent = [opened.enter_context(served.connect()) for _ in range(8)]
    for line in silent:
        promise(line, 1_900_000)
    first, second = (opened.enter_context(served.connect()) for _ in range(2))
    ask(first, body=b"y" * 400_000)
    assert read(first)[::2] == (200, b"y" * 400_000)
    silent[0].sendall(b"x" * 300_000)
    time.sleep(0.1)  # so that it has come before the next
    second.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + b"y" * 400_000)
    assert read(second)[::2] == (200, b"y" * 400_000)
    status, headers, _ = read(silent[0])
    assert (status, headers["retry-after"]) == (503, "60")


def test_answers_that_nobody_takes_hold_no_thread_and_are_bounded(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MAX_HELD_BYTES", 40_000_000)
    served = serve(opened, threads=1, max_waiting=10)
    lines = [opened.enter_context(served.connect()) for _ in range(4)]
    for line in lines:
        ask(line, "/large")
    other = opened.enter_context(served.connect())
    ask(other)
    assert read(other)[::2] == (200, b"/")
    kept = [len(body) for line in lines if (body := read_all(line))]
    assert sorted(kept)[-1] >= 30_000_000 and sorted(kept)[0] < 30_000_000


def read_all(line: socket.socket) -> bytes:
    """All that comes within a second of silence, or to the end."""
    line.settimeout(1.0)
    received = bytearray()
    try:
        while piece := line.recv(1 << 20):
            received += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return bytes(received)


# ---- many requests ----


def test_one_too_many_is_refused_at_once_and_watchers_are_not(opened: ExitStack) -> None:
    served = serve(opened)
    waiting = [opened.enter_context(served.connect()) for _ in range(4)]
    for line in waiting:
        ask(line, "/wait")
    for _ in range(2):
        assert served.begun.acquire(timeout=WITHIN_S)
    extra, watcher = (opened.enter_context(served.connect()) for _ in range(2))
    ask(extra, "/", body=b"z" * 100)
    status, headers, body = read(extra)  # while all threads are held up
    assert (status, headers["retry-after"], json.loads(body)["status"]) == (503, "1", 503)
    ask(watcher, "/healthz")
    ask(extra, "/readyz")  # on the line that was refused
    served.go.set()
    assert [read(line)[0] for line in (*waiting, watcher, extra)] == [200] * 6
    assert served.refused == [503]


def test_a_head_leaves_with_the_first_piece_and_the_loop_sleeps_until_the_next(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    send = Connection.send
    monkeypatch.setattr(Connection, "send", lambda self, data, **more: sent.append(data) or send(self, data, **more))
    served = serve(opened)
    line = opened.enter_context(served.connect())
    ask(line, "/parts")
    assert served.begun.acquire(timeout=WITHIN_S)
    (head,) = sent
    assert head.startswith(b"HTTP/1.1 200 OK") and head.endswith(b"\r\n\r\n/")
    (seen,) = served.server.active_channels.values()
    assert not seen.writable() and not seen.readable()
    served.go.set()
    assert read(line)[::2] == (200, b"/parts") and sent == [head, b"parts"]


def test_heads_without_a_body_and_files_are_sent(opened: ExitStack) -> None:
    served = serve(opened)
    line = opened.enter_context(served.connect())
    line.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert line.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    ask(line, "/file")
    assert read(line)[::2] == (200, b"of a file")


def test_requests_behind_each_other_are_answered_one_by_one(opened: ExitStack) -> None:
    served = serve(opened)
    with served.connect() as line:
        line.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50)))
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 50 or not received.endswith(b"/49"):
            received += line.recv(65_536)
    assert [received.index(b"\r\n\r\n/%d" % number) for number in range(50)] == sorted(
        received.index(b"\r\n\r\n/%d" % number) for number in range(50)
    )


def test_what_fails_outside_of_the_application_is_a_problem_without_anybodys_words(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(opened)
    with caplog.at_level(logging.INFO), served.connect() as line:
        ask(line, "/fail/secret-path")
        status, headers, body = read(line)
    assert (status, headers["content-type"], json.loads(body)["status"]) == (500, "application/problem+json", 500)
    assert "RuntimeError" in caplog.text and "secret" not in caplog.text


# ---- the end ----


def test_at_the_end_what_has_come_is_answered(opened: ExitStack) -> None:
    served = serve(opened)
    lines = [opened.enter_context(served.connect()) for _ in range(3)]
    idle = opened.enter_context(served.connect())
    ask(idle)
    assert read(idle)[0] == 200
    for line in lines:
        ask(line, "/wait")
    assert served.begun.acquire(timeout=WITHIN_S)
    late = opened.enter_context(served.connect())  # the system has taken it, the server not yet
    ask(late)
    served.server.stop()
    served.go.set()
    for line in (*lines, late):
        status, headers, _ = read(line)
        assert (status, headers["connection"]) == (200, "close")
    assert idle.recv(1) == b""
    with pytest.raises(OSError):
        served.connect()
