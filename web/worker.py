"""Connections → whole requests → threads → answers: no thread ever waits for a client.

Gunicorn's threaded worker reads a request and writes its answer in the thread that works on it, so that as many slow
clients as there are threads stop everything. Here the loop that accepts connections also reads them: a thread gets a
request when all of it has come. What a client does not take of its answer at once is sent by the loop as well. When
more requests wait than can be answered soon, the next ones are told so at once: 503 with Retry-After.
"""

import errno
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from magpie.data.home.safe_traceback import safe_traceback
from magpie.search.thread_pool import ThreadPool
from magpie.web.patient_socket import PatientSocket
from magpie.web.unreadable import FAILED, refusal_of
from magpie.web.wire import (
    HEAD_TOO_LARGE,
    LENGTH_NEEDED,
    MAX_HEAD_BYTES,
    OVERLOADED,
    TOO_MANY_UPLOADS,
    Head,
    Refusal,
    body_too_large,
    read_head,
)

MAX_HELD_BYTES = 256_000_000  # of all bodies that are coming in, and as much of answers that are going out
SMALL_BYTES = 65_536  # a body that is always taken
HEAD_WITHIN_S = 10.0
SLOWEST_BYTES_PER_S = 10_000  # of a body
STALLED_S = 20.0  # without a byte taken of an answer
LINGER_S, LINGER_AFTER_REFUSAL_S = 2.0, 30.0  # for a client to read an answer's end, or to stop sending
SWEEP_INTERVAL_S = 0.5
SIGN_INTERVAL_S = 1.0  # of life, to the process that watches over this one
_CHUNK_BYTES = 262_144
_WATCHERS = (b"GET /healthz ", b"GET /readyz ")
_NOTHING_THERE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR)
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE)


@dataclass(eq=False)
class Line:
    """A connection as the loop sees it: what has come of the next request, and until when it may do what it does."""

    connection: TConn
    sock: PatientSocket
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    head: Head | None = None
    is_watched: bool = False  # by the poller
    is_idle: bool = True  # nothing of a request has come
    is_open: bool = True

    @property
    def reserved_bytes(self) -> int:
        """Of the body that is coming in."""
        return self.head.body_bytes if self.head else 0


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's threaded worker, in which slow clients cost some memory and no thread.

    The application may bring `max_body_bytes`, `max_waiting` (requests beyond those being worked on) and `on_refusal`
    (called with the status) in its `extensions["line_limits"]`.
    """

    def init_process(self) -> None:
        self._lines: dict[Any, Line] = {}
        self._working = 0
        self._reserved_bytes = 0
        self._swept_at = self._notified_at = 0.0
        super().init_process()

    def get_thread_pool(self) -> ThreadPool:
        return ThreadPool("magpie-request", self.cfg.threads)

    def notify(self) -> None:
        """Gives a sign of life. Called at every turn of the loop, where it would stop a search that just begins."""
        now = time.monotonic()
        if now - self._notified_at >= SIGN_INTERVAL_S:
            self._notified_at = now
            super().notify()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        limits = self.wsgi.extensions["line_limits"]
        self._max_body_bytes: int = limits["max_body_bytes"]
        self._most_at_once: int = limits["max_waiting"] + self.cfg.threads
        self._on_refusal: Callable[[int], None] = limits["on_refusal"]
        self._too_large = body_too_large(self._max_body_bytes)

    # ---- a connection comes ----

    def accept(self, listener: Any) -> None:
        """Takes a connection, at the cost of the longest idle one where there are too many."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in _NO_MORE_FILES:
                self._shed()
            elif error.errno not in _NOTHING_THERE:
                raise
            return
        if self.nr_conns >= self.worker_connections - 1:
            self._shed()
        sock = PatientSocket(accepted)
        connection = TConn(self.cfg, sock, address, listener.getsockname())
        connection.init()
        self.nr_conns += 1
        self._lines[connection] = line = Line(connection, sock, time.monotonic() + HEAD_WITHIN_S)
        self._read(line)

    # ---- a request comes in ----

    def _read(self, line: Line) -> None:
        """Takes what has come; hands the request over when it is whole."""
        try:
            data = line.sock.receive(_CHUNK_BYTES)
        except OSError:
            data = b""
        if data:
            if line.is_idle:
                line.is_idle, line.deadline = False, time.monotonic() + HEAD_WITHIN_S
            line.received += data
        elif data is not None:
            self._drop(line)
            return
        self._advance(line)

    def _advance(self, line: Line) -> None:
        refusal = self._read_head(line) if line.head is None else None
        if refusal:
            self._refuse(line, refusal)
        elif line.head is not None and len(line.received) >= line.head.total_bytes:
            self._hand_over(line, line.head)
        else:
            self._watch(line, EVENT_READ, self._read)

    def _read_head(self, line: Line) -> Refusal | None:
        """Sets the line's head once it is there; what is to be answered where it says too much."""
        while line.received.startswith(b"\r\n"):
            del line.received[:2]
        head = read_head(line.received)
        if head is None:
            return HEAD_TOO_LARGE if len(line.received) >= MAX_HEAD_BYTES else None
        if head.is_chunked:
            return LENGTH_NEEDED
        if head.body_bytes > self._max_body_bytes:
            return self._too_large
        if head.body_bytes > SMALL_BYTES and self._reserved_bytes + head.body_bytes > MAX_HELD_BYTES:
            return TOO_MANY_UPLOADS
        line.head = head
        self._reserved_bytes += head.body_bytes
        line.deadline = time.monotonic() + HEAD_WITHIN_S + head.body_bytes / SLOWEST_BYTES_PER_S
        if head.waits_for_go_ahead and len(line.received) < head.total_bytes:
            line.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            line.sock.flush()
        return None

    def _hand_over(self, line: Line, head: Head) -> None:
        """Gives a whole request to the threads, or refuses it where too many wait."""
        request = bytes(line.received[: head.total_bytes])
        del line.received[: head.total_bytes]
        self._forget_head(line)
        if self._working >= self._most_at_once and not request.startswith(_WATCHERS):
            self._refuse(line, OVERLOADED)
            return
        self._unwatch(line)
        self._working += 1
        line.connection.parser.unreader.unread(request)
        line.connection.data_ready = True
        self.enqueue_req(line.connection)

    # ---- an answer goes out ----

    def handle(self, conn: TConn) -> Any:
        """Called in a thread, to answer a whole request."""
        try:
            return super().handle(conn)
        finally:
            conn.sock.flush()  # a head without a body

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """Called by the loop when a thread is done with a request."""
        self._working -= 1
        stays = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        self._send(self._lines[conn], self._next_request if stays else self._linger)

    def _refuse(self, line: Line, refusal: Refusal) -> None:
        self._on_refusal(int(refusal.status))
        line.sock.sendall(refusal.as_bytes())
        stays = refusal.keeps_line and not line.received
        self._send(line, self._next_request if stays else partial(self._linger, within=LINGER_AFTER_REFUSAL_S))

    def handle_error(self, req: Any, client: PatientSocket, addr: Any, exc: BaseException) -> None:
        """Called in a thread for what the parser refuses. Gunicorn would log the sender's address and words."""
        refusal = refusal_of(exc)
        if refusal is FAILED:
            self.log.error("answering failed outside of the application\n%s", safe_traceback(exc))
        self._on_refusal(int(refusal.status))
        client.sendall(refusal.as_bytes())

    def _send(self, line: Line, then: Callable[[Line], None]) -> None:
        """Sends what is left of an answer as the client takes it, and goes on from there."""
        try:
            sent = line.sock.send_more(_CHUNK_BYTES) if line.sock.unsent else 0
        except OSError:
            self._drop(line)
            return
        if not line.sock.unsent:
            then(line)
            return
        if sent or not line.is_watched:
            line.deadline = time.monotonic() + STALLED_S
        self._watch(line, EVENT_WRITE, partial(self._send, then=then))
        self._bound_unsent()

    def _next_request(self, line: Line) -> None:
        """Waits for another request; some of it may be there already."""
        line.is_idle = not line.received
        line.deadline = time.monotonic() + (HEAD_WITHIN_S if line.received else self._patience_s)
        self._advance(line)

    def _linger(self, line: Line, within: float = LINGER_S) -> None:
        """Ends the connection such that the client still sees the whole answer; what it sends is thrown away."""
        line.deadline = time.monotonic() + within
        line.received.clear()
        try:
            line.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(line)
            return
        self._watch(line, EVENT_READ, self._discard)

    def _discard(self, line: Line) -> None:
        try:
            if line.sock.receive(_CHUNK_BYTES) != b"":
                return
        except OSError:
            pass
        self._drop(line)

    # ---- what lasts too long, or is too much ----

    def murder_pending(self) -> None:
        """Cuts the lines whose time is over. Called at every turn of the loop."""
        now = time.monotonic()
        if now - self._swept_at < SWEEP_INTERVAL_S:
            return
        self._swept_at = now
        for line in [line for line in self._lines.values() if line.is_watched and line.deadline < now]:
            self._drop(line)

    def _cap_keepalive(self, deadline: float) -> None:
        """At the end, idle lines get this long for a request that is on its way."""
        for line in self._lines.values():
            if line.is_idle:
                line.deadline = min(line.deadline, deadline)

    @property
    def _patience_s(self) -> float:
        return float(self.cfg.keepalive) if self.alive else LINGER_S

    def _shed(self) -> None:
        """Cuts the line whose time would be over first, of those that no thread works on; idle ones before others."""
        waiting = [line for line in self._lines.values() if line.is_watched]
        if waiting:
            self._drop(min(waiting, key=lambda line: (not line.is_idle, line.deadline)))

    def _bound_unsent(self) -> None:
        sending = [line for line in self._lines.values() if line.is_watched and line.sock.unsent]
        if sum(len(line.sock.unsent) for line in sending) > MAX_HELD_BYTES:
            self._drop(max(sending, key=lambda line: len(line.sock.unsent)))

    # ---- small things ----

    def _watch(self, line: Line, for_what: int, step: Callable[[Line], None]) -> None:
        change = self.poller.modify if line.is_watched else self.poller.register
        change(line.sock, for_what, partial(self._step, line, step))
        line.is_watched = True

    def _step(self, line: Line, step: Callable[[Line], None], _fileobj: Any) -> None:
        if line.is_open:  # else it was cut at this same turn of the loop
            step(line)

    def _unwatch(self, line: Line) -> None:
        if line.is_watched:
            self.poller.unregister(line.sock)
            line.is_watched = False

    def _forget_head(self, line: Line) -> None:
        self._reserved_bytes -= line.reserved_bytes
        line.head = None

    def _drop(self, line: Line) -> None:
        if line.is_open:
            line.is_open = False
            self._forget_head(line)
            self._unwatch(line)
            del self._lines[line.connection]
            self.nr_conns -= 1
            line.connection.close()
