"""A connection: requests come in one after the other, each is answered before the next is read, and all takes its time.

Everything but `service`, `write_soon` and the tasks is called in the thread that reads all connections.
"""

import logging
import socket
import time
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import Task, WSGITask

from magpie.data.home.safe_traceback import safe_traceback
from magpie.web.server.refusals import FAILED, OVERLOADED, TOO_SLOW, Refusal
from magpie.web.server.request_head import Request

log = logging.getLogger(__name__)

HEAD_WITHIN_S = 10.0  # and so long a body may lag behind the least speed
SLOWEST_BYTES_PER_S = 10_000  # of a body
STALLED_S = 20.0  # without a byte taken of an answer
KEEP_ALIVE_S = 75.0
LAST_REQUEST_WITHIN_S = 2.0  # when the server is stopping
LINGER_S = 30.0  # for a client that was refused to stop sending
SMALL_BYTES = 65_536  # what may be held of any connection
_WATCHERS = ("/healthz", "/readyz")


class _Answer(WSGITask):  # type: ignore[misc]
    """The application's answer to a whole request; its head leaves with the first piece of its body."""

    def build_response_header(self) -> bytes:
        if self.channel.server.is_stopping:
            self.set_close_on_finish()
        self.channel.head = bytes(super().build_response_header())
        return b""

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
        self.channel.write_head()


class _RefusalAnswer(Task):  # type: ignore[misc]
    """What is answered without the application: `request.error`."""

    complete = True

    def execute(self) -> None:
        refusal = self.request.error if isinstance(self.request.error, Refusal) else FAILED
        self.channel.server.on_refusal(refusal.code)
        body = refusal.body
        self.version, self.status = "1.1", f"{refusal.code} {refusal.status.phrase}"
        self.content_length, self.response_headers = len(body), refusal.headers
        if not refusal.keeps_connection:
            self.set_close_on_finish()
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """One client's connection."""

    parser_class, task_class, error_task_class = Request, _Answer, _RefusalAnswer
    request: Request | None  # that is coming in
    requests: list[Request]  # the one that is being answered
    head = b""  # of an answer whose body has not begun

    def __init__(self, *given: Any, **more: Any) -> None:
        self.waits_since = time.monotonic()  # when it last came forward; bytes of a body count at the least speed
        self._behind = b""  # what has come after the request that is being answered
        self._is_new, self._is_ending = True, False
        self._unsent = 0
        super().__init__(*given, **more)

    # ---- a request comes in ----

    def readable(self) -> bool:
        return self._is_ending or bool(super().readable())

    def received(self, data: bytes) -> bool:
        """Reads on to the end of one request. What comes after the last answer is thrown away."""
        if self._is_ending:
            return False
        data, self._behind = self._behind + data, b""
        while data and not self.requests and not self.close_when_flushed:
            if self.request is None:
                self.request, self.waits_since = Request(self.adj), time.monotonic()
            used = self.request.received(data)
            data = data[used:]
            if self.request.headers_finished:
                self.waits_since = min(time.monotonic(), self.waits_since + used / SLOWEST_BYTES_PER_S)
            if self.request.completed:
                self._complete(self.request)
            elif self.request.expect_continue and self.request.headers_finished:
                self.send_continue()
        self._behind = data
        if self.held_bytes > SMALL_BYTES:
            self.server.bound_held()
        return True

    def _complete(self, request: Request) -> None:
        self.request, self._is_new = None, False
        if request.empty:
            return
        if request.error is None and self.server.is_full and request.path not in _WATCHERS:
            request.error = OVERLOADED
        self.requests.append(request)
        if request.error is None:
            self.server.add_task(self)
        else:
            self.service()

    # ---- an answer goes out ----

    def service(self) -> None:
        """Answers the request that is there. Called in one of the threads, or for refusals in the one that reads."""
        super().service()
        self.server.working.discard(self)

    def write_soon(self, data: Any) -> int:
        """Takes a piece of an answer, and sends what the client takes at once; a head leaves with what comes next."""
        self.waits_since = time.monotonic()
        if isinstance(data, bytes) and data:
            data, self.head = self.head + data, b""
        elif data:  # an open file
            self.write_head()
        return int(super().write_soon(data))

    def write_head(self) -> None:
        """Sends a head behind which nothing comes, or something that cannot be joined to it."""
        head, self.head = self.head, b""
        super().write_soon(head)

    def writable(self) -> bool:
        return bool(super().writable() or (self._behind and not self.requests))

    def handle_write(self) -> None:
        """Sends more of an answer; after its end goes on to the next request, or ends the connection."""
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable)
        if self.will_close or not self.connected:
            self.handle_close()
        elif self.requests or self.total_outbufs_len:
            return
        elif self.close_when_flushed:
            self._end()
        elif self._behind:
            self.received(b"")

    def _end(self) -> None:
        """Ends the connection such that the client still sees the whole answer."""
        self._is_ending, self.close_when_flushed, self._behind = True, False, b""
        self.waits_since = time.monotonic()
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
        """Of a body that has come, and of an answer that is going out."""
        bodies = (one.body_bytes_received for one in (*self.requests, self.request) if one is not None)
        return int(self.total_outbufs_len) + sum(bodies)

    def sweep(self, now: float) -> None:
        """Ends what lasts too long. Called every second."""
        if self.requests:
            return
        if self.total_outbufs_len != self._unsent:  # the client takes its answer
            self._unsent, self.waits_since = self.total_outbufs_len, now
        if now - self.waits_since > self._patience_s:
            self.give_up(TOO_SLOW)

    def give_up(self, refusal: Refusal) -> None:
        """Answers the request that is coming in with this; cuts a connection on which none is."""
        if self.request is None:
            self.handle_close()
            return
        self._behind, self.request.error = b"", refusal
        self._complete(self.request)

    @property
    def _patience_s(self) -> float:
        if self.total_outbufs_len:
            return STALLED_S
        if self._is_ending:
            return LINGER_S
        if self.request is not None:
            return HEAD_WITHIN_S
        if self.server.is_stopping:
            return LAST_REQUEST_WITHIN_S
        return HEAD_WITHIN_S if self._is_new else KEEP_ALIVE_S
