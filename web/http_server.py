"""Connections → whole requests → threads → answers: waitress, set up such that no client holds a thread or the door.

Waitress reads requests in one thread, hands whole ones to a few others, and sends what a client does not take at once
from the first. Added here: stricter heads (RFC 9112), time and room for each line, refusals as problem details (RFC
9457), an end that drains, and answers whose head and body leave in one piece.
"""

import json
import logging
import re
import resource
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import Task, ThreadedTaskDispatcher, WSGITask

from magpie.data.home.safe_traceback import safe_traceback

log = logging.getLogger(__name__)

MAX_LINES = 1_000
SPARE_FILES = 250  # file descriptors that lines leave for everything else
MAX_HEAD_BYTES = 65_536
MAX_ADDRESS_CHARS = 8_190
MAX_HEADERS = 100
MAX_HELD_BYTES = 256_000_000  # of all bodies that have come, and as much of answers that are going out
SMALL_BYTES = 65_536  # a body that is always taken
HEAD_WITHIN_S = 10.0
SLOWEST_BYTES_PER_S = 10_000  # of a body
STALLED_S = 20.0  # without a byte of a body, or without a byte taken of an answer
KEEP_ALIVE_S = 75.0
LINGER_S = 30.0  # for a client that was refused to stop sending
STOP_WITHIN_S, LAST_REQUEST_WITHIN_S = 10.0, 2.0
BACKLOG = 2048
_CHUNK_BYTES = 65_536
_UNBOUNDED = 1 << 40
_WATCHERS = ("/healthz", "/readyz")
_START_LINE = re.compile(rb"[A-Z-]+ [^\x00-\x20\x7f]+ HTTP/([0-9]\.[0-9])")
_READABLE = bytes(byte for byte in range(256) if byte in b"\t\r\n" or (byte >= 0x20 and byte != 0x7F))
_BLANKS_BEFORE_VALUE = re.compile(rb"(?<=\n)([^\s:]+:)[ \t]+")


@dataclass(frozen=True)
class Refusal:
    """An answer that needs no application: a problem detail, after which the line ends unless `keeps_line`."""

    status: HTTPStatus
    detail: str
    retry_after_s: int = 0
    keeps_line: bool = False

    @property
    def code(self) -> int:
        return int(self.status)


OVERLOADED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "More requests are waiting than can be answered soon. Try again in a second.",
    retry_after_s=1,
    keeps_line=True,
)
TOO_MANY_UPLOADS = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Too much is being sent here at the moment. Try again in a minute.",
    retry_after_s=60,
)
TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request came too slowly.")
FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed at this request. Its log says why.")
UNREADABLE = Refusal(HTTPStatus.BAD_REQUEST, "This is no request that can be read: see RFC 9112.")
UNKNOWN_VERSION = Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
LENGTH_NEEDED = Refusal(HTTPStatus.LENGTH_REQUIRED, "Send the body with its Content-Length.")
UNKNOWN_CODING = Refusal(HTTPStatus.NOT_IMPLEMENTED, "This Transfer-Encoding is not taken here.")
UNKNOWN_EXPECTATION = Refusal(HTTPStatus.EXPECTATION_FAILED, "Of Expect only 100-continue is known.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The request's head has more than {MAX_HEAD_BYTES:,} bytes or {MAX_HEADERS} headers.",
)
ADDRESS_TOO_LONG = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG,
    f"The address is longer than {MAX_ADDRESS_CHARS:,} characters. Send the search as JSON: POST /api/search.",
)


def body_too_large(most_bytes: int) -> Refusal:
    """The answer to a body beyond the limit."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request is larger than {most_bytes:,} bytes. Send a smaller picture or fewer things at once.",
    )


class _RefusedError(Exception):
    """Ends the reading of a head; carries the Refusal."""


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request as it comes in. `error` is None, or the Refusal that answers it."""

    error: Any

    def received(self, data: bytes) -> int:
        """Takes the bytes that belong to this request, and returns how many those are."""
        used = int(super().received(data))
        if self.error is not None:
            self.expect_continue = False  # nothing more is wanted
            self.error = self._refusal()
        return used

    def parse_header(self, head: bytes) -> None:
        """Reads a whole head; sets `error` where it cannot be read in exactly one way, or asks for too much."""
        try:
            super().parse_header(_checked(head))
            self._check_fields()
        except _RefusedError as refused:
            self.error = refused.args[0]
        except ValueError:  # a length of thousands of digits, an address with half an IPv6 host
            self.error = UNREADABLE
        if self.error is not None:
            self.body_rcv, self.content_length = None, 0  # nothing behind it is read

    def _check_fields(self) -> None:
        fields = self.headers
        if self.chunked or "TRANSFER_ENCODING" in fields:
            raise _RefusedError(LENGTH_NEEDED)
        if (self.version == "1.1" and "HOST" not in fields) or "," in fields.get("HOST", ""):
            raise _RefusedError(UNREADABLE)
        if fields.get("EXPECT", "100-continue").lower() != "100-continue":
            raise _RefusedError(UNKNOWN_EXPECTATION)

    def _refusal(self) -> Refusal:
        """Waitress' own errors as ours."""
        if isinstance(self.error, Refusal):
            return self.error
        largest = self.adj.max_request_body_size - 1
        known = {413: body_too_large(largest), 431: HEAD_TOO_LARGE, 501: UNKNOWN_CODING}
        return known.get(self.error.code, UNREADABLE)


def _checked(head: bytes) -> bytes:
    """The head as waitress' regular expressions read it in linear time. Raises _RefusedError.

    They take quadratic time over many blanks before a value and over long first lines.
    """
    first, _, fields = head.partition(b"\r\n")
    if len(first) > MAX_ADDRESS_CHARS + len("OPTIONS  HTTP/1.1"):
        raise _RefusedError(ADDRESS_TOO_LONG)
    read = _START_LINE.fullmatch(first)
    fields = b"\r\n" + fields
    if read is None or fields.translate(None, _READABLE) or b"\n " in fields or b"\n\t" in fields:
        raise _RefusedError(UNREADABLE)
    if fields.count(b"\n") > MAX_HEADERS + 2:
        raise _RefusedError(HEAD_TOO_LARGE)
    if read[1] not in (b"1.0", b"1.1"):
        raise _RefusedError(UNKNOWN_VERSION)
    if b":  " in fields or b"\t" in fields:
        fields = _BLANKS_BEFORE_VALUE.sub(rb"\1 ", fields)
    return first + fields


class _Answer(WSGITask):  # type: ignore[misc]
    """The application's answer to a whole request; its head and body leave together."""

    def build_response_header(self) -> bytes:
        if self.channel.server.is_stopping:
            self.set_close_on_finish()
        return bytes(super().build_response_header())

    def execute(self) -> None:
        try:
            super().execute()
        except ClientDisconnected:
            raise
        except Exception as error:
            log.error("answering failed outside of the application\n%s", safe_traceback(error))
            raise

    def finish(self) -> None:
        super().finish()
        self.channel.flush()


class _RefusalAnswer(Task):  # type: ignore[misc]
    """What is answered without the application: `request.error`."""

    complete = True

    def execute(self) -> None:
        refusal = self.request.error if isinstance(self.request.error, Refusal) else FAILED
        self.channel.server.on_refusal(refusal.code)
        about = {
            "type": "about:blank",
            "title": refusal.status.phrase,
            "status": refusal.code,
            "detail": refusal.detail,
        }
        body = json.dumps(about).encode()
        self.version = "1.1"
        self.status = f"{refusal.code} {refusal.status.phrase}"
        self.content_length = len(body)
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            *([("Retry-After", str(refusal.retry_after_s))] if refusal.retry_after_s else []),
        ]
        if not refusal.keeps_line:
            self.set_close_on_finish()
        self.write(body)

    def finish(self) -> None:
        super().finish()
        self.channel.flush()


class Line(HTTPChannel):  # type: ignore[misc]
    """A connection. Everything but `service`, which answers a request, is for the thread that reads all lines."""

    parser_class, task_class, error_task_class = Request, _Answer, _RefusalAnswer
    request: Request | None  # that is coming in
    requests: list[Request]  # the one that is being answered
    close_when_flushed: bool
    total_outbufs_len: int
    will_close: bool
    sent_continue: bool

    def __init__(self, *given: Any, **more: Any) -> None:
        self._behind = b""  # what has come after the request that is being answered
        self._is_new = True  # nothing has been asked yet
        self._is_ending = False
        self._since = self._active_at = time.monotonic()  # it waits for a request, or to end; bytes went or came
        super().__init__(*given, **more)

    # ---- a request comes in ----

    def readable(self) -> bool:
        return self._is_ending or bool(super().readable())

    def handle_read(self) -> None:
        """Takes what has come, and throws it away where the line is ending."""
        try:
            data = self.recv(_CHUNK_BYTES)
        except OSError:
            self.handle_close()
            return
        if data and not self._is_ending:
            self.last_activity = time.time()
            self.received(data)

    def received(self, data: bytes) -> bool:
        """Reads on to the end of one request, which is then answered before the next one is read."""
        if self.request is None and data:
            self._since = time.monotonic()
        data, self._behind = self._behind + data, b""
        while data and not self.requests and not self.close_when_flushed:
            self.request = self.request or self.parser_class(self.adj)
            data = data[self.request.received(data) :]
            if self.request.expect_continue and self.request.headers_finished and not self.sent_continue:
                self.send_continue()
            if self.request.completed:
                self._complete(self.request)
        self._behind = data
        if self.held_bytes > SMALL_BYTES:
            self.server.bound_held()
        return True

    def _complete(self, request: Request) -> None:
        self.request, self.sent_continue, self._is_new = None, False, False
        if request.empty:
            return
        if request.error is None and self.server.is_full and request.path not in _WATCHERS:
            request.error = OVERLOADED
        self.requests.append(request)
        if request.error is None:
            self.server.add_task(self)
        else:
            self.service()

    def refuse(self, refusal: Refusal) -> None:
        """Answers what has come so far of a request with this."""
        request, self.request, self._behind = self.request or self.parser_class(self.adj), None, b""
        request.error = refusal
        self._complete(request)

    # ---- an answer goes out ----

    def service(self) -> None:
        """Answers the request that is there. Called in one of the threads, or for refusals in the one that reads."""
        super().service()
        self.server.working.discard(self)

    def flush(self) -> None:
        """Sends what goes out at once of an answer that is complete."""
        self._since = time.monotonic()
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)

    def writable(self) -> bool:
        """Whether the loop has something to send, or to read of what has come; the head of an answer waits."""
        if self.requests:
            return self.will_close or self.total_outbufs_len >= self.adj.send_bytes
        return bool(self.total_outbufs_len or self._behind or self.close_when_flushed or self.will_close)

    def handle_write(self) -> None:
        """Sends more of an answer; after its end goes on to the next request, or ends the line."""
        is_last, self.close_when_flushed = self.close_when_flushed, False
        super().handle_write()
        if not self.connected or self.total_outbufs_len:
            self.close_when_flushed |= is_last
        elif is_last:
            self._end()
        elif self._behind and not self.requests:
            self.received(b"")

    def _end(self) -> None:
        """Ends the line such that the client still sees the whole answer."""
        self._is_ending, self._behind, self._since = True, b"", time.monotonic()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def handle_error(self) -> None:
        """Called by the loop where a step failed."""
        log.exception("a connection failed")
        self.handle_close()

    # ---- time and room ----

    @property
    def held_bytes(self) -> int:
        """Of the body that has come."""
        requests = [*self.requests, self.request]
        return sum(request.body_bytes_received for request in requests if request is not None)

    @property
    def last_activity(self) -> float:
        """When bytes last came or went, by a clock that nobody sets. Waitress assigns its own, whenever they do."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, _: float) -> None:
        self._active_at = time.monotonic()

    @property
    def waits_since(self) -> float:
        """When it last came forward: bytes of a request count as far as they come at the least speed."""
        received = self.request.body_bytes_received if self.request is not None else 0
        return min(self._since + received / SLOWEST_BYTES_PER_S, self._active_at)

    def sweep(self) -> None:
        """Ends what lasts too long."""
        if self.requests:
            return
        now = time.monotonic()
        if self.total_outbufs_len:
            is_over = now - self._active_at > STALLED_S
        elif self._is_ending:
            is_over = now - self._since > LINGER_S
        elif self.request is None:
            is_over = now - self._since > self._patience_s
        else:
            is_over = False
            if now - self.waits_since > HEAD_WITHIN_S:
                self.refuse(TOO_SLOW)
        if is_over:
            self.handle_close()

    @property
    def _patience_s(self) -> float:
        """With a line on which nothing has come."""
        if self.server.is_stopping:
            return LAST_REQUEST_WITHIN_S
        return HEAD_WITHIN_S if self._is_new else KEEP_ALIVE_S


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Serves an application on a listening socket until `stop`."""

    channel_class = Line
    accepting: bool

    def __init__(
        self,
        application: Any,
        listener: socket.socket,
        *,
        threads: int,
        max_waiting: int,
        max_body_bytes: int,
        on_refusal: Callable[[int], None],
        may_accept: Callable[[int], bool] = lambda lines: True,
    ) -> None:
        """`max_waiting` requests may wait beside those being worked on; `on_refusal` gets the status of each refusal.

        `may_accept` gets the number of lines at every turn of the loop, and says whether this process takes the next.
        """
        self.on_refusal = on_refusal
        self.working: set[Line] = set()
        self._may_accept = may_accept
        self._most_at_once = threads + max_waiting
        self._stop_by: float | None = None
        self._max_lines = max(10, min(MAX_LINES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES))
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        address = listener.getsockname()
        super().__init__(
            application,
            map={},
            _sock=listener,
            dispatcher=dispatcher,
            adj=adjustments(max_body_bytes, address[0]),
            sockinfo=(listener.family, listener.type, listener.proto, address),
            bind_socket=False,
        )
        logging.getLogger("waitress").setLevel(logging.CRITICAL)  # it would log addresses and what people ask

    @property
    def is_stopping(self) -> bool:
        return self._stop_by is not None

    @property
    def is_full(self) -> bool:
        """Whether as many requests wait as can be answered soon."""
        return len(self.working) >= self._most_at_once

    def add_task(self, line: Line) -> None:
        self.working.add(line)
        super().add_task(line)

    def readable(self) -> bool:
        return bool(super().readable()) and self._may_accept(len(self.active_channels))

    def handle_accept(self) -> None:
        """Takes a connection, at the cost of the one that has waited longest where there are too many."""
        waiting = [line for line in self.active_channels.values() if not line.requests]
        if len(self.active_channels) >= self._max_lines and waiting:
            min(waiting, key=lambda line: line.waits_since).handle_close()
        super().handle_accept()

    def maintenance(self, now: float) -> None:
        """Called every second: ends the lines whose time is over, and those that leave most of their answers."""
        for line in list(self.active_channels.values()):
            line.sweep()
        unsent = sorted(self.active_channels.values(), key=lambda line: line.total_outbufs_len)
        while sum(line.total_outbufs_len for line in unsent) > MAX_HELD_BYTES:
            unsent.pop().handle_close()

    def bound_held(self) -> None:
        """Refuses the body that has waited longest where all that have come are too much."""
        lines = list(self.active_channels.values())
        receiving = [line for line in lines if line.request is not None and line.held_bytes > SMALL_BYTES]
        if receiving and sum(line.held_bytes for line in lines) > MAX_HELD_BYTES:
            min(receiving, key=lambda line: line.waits_since).refuse(TOO_MANY_UPLOADS)

    def stop(self) -> None:
        """Ends `run` when the requests that have come are answered. Safe in a signal handler."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_WITHIN_S
            self.pull_trigger()

    def run(self) -> None:
        """Serves until stopped."""
        while not self._is_over():
            wasyncore.loop(timeout=0.1 if self.is_stopping else 1.0, map=self._map, use_poll=True, count=1)
            if self.is_stopping:
                self._stop_listening()
                self.maintenance(0.0)
        self.task_dispatcher.shutdown()

    def close(self) -> None:
        """Cuts the lines that are left, after `run`."""
        for line in list(self.active_channels.values()):
            line.handle_close()
        super().close()

    def _is_over(self) -> bool:
        return self._stop_by is not None and (not self.active_channels or time.monotonic() > self._stop_by)

    def _stop_listening(self) -> None:
        """Connections that the system has made already are taken first."""
        while self.accepting:
            before = len(self.active_channels)
            self.handle_accept()
            if len(self.active_channels) <= before:
                self.accepting = False
                wasyncore.dispatcher.close(self)


def adjustments(max_body_bytes: int, host: str) -> Adjustments:
    """Waitress' settings for bodies of at most so many bytes; `host` is our name where a request has none."""
    settings = Adjustments(
        server_name=host,
        ident=None,
        backlog=BACKLOG,
        recv_bytes=_CHUNK_BYTES,
        connection_limit=_UNBOUNDED,  # the longest idle line makes room instead
        cleanup_interval=1,
        log_socket_errors=False,
        max_request_header_size=MAX_HEAD_BYTES,
        max_request_body_size=max_body_bytes + 1,
        # memory is bounded by the server over all lines; no thread waits for one, and nothing goes to the disk
        inbuf_overflow=_UNBOUNDED,
        outbuf_overflow=_UNBOUNDED,
        outbuf_high_watermark=_UNBOUNDED,
        clear_untrusted_proxy_headers=False,  # whose word counts is decided by the application
    )
    settings.send_bytes = _CHUNK_BYTES  # an answer's head waits for its body
    return settings
