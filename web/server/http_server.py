"""Serves HTTP with waitress, set up such that no client holds a thread or keeps others out.

Waitress reads requests in one thread, hands whole ones to a few others, and sends what a client does not take at once
from the first. Added here: room for newcomers, one bound on what is held, 503 at once, and an end that drains.
"""

import logging
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from magpie.web.server.connection import SMALL_BYTES, Connection
from magpie.web.server.latest_idle import LatestIdle
from magpie.web.server.refusals import MAX_HEAD_BYTES, TOO_MUCH_HELD

MAX_CONNECTIONS = 1_000
SPARE_FILES = 250  # file descriptors that connections leave for everything else
MAX_HELD_BYTES = 256_000_000  # of bodies that have come and of answers that are going out
STOP_WITHIN_S = 10.0
SWEEP_INTERVAL_S = 1.0
BACKLOG = 2048
_UNBOUNDED = 1 << 40


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Serves an application on a listening socket until `stop`."""

    channel_class = Connection
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
        may_accept: Callable[[int], bool] = lambda connections: True,
    ) -> None:
        """`max_waiting` requests may wait beside those being worked on; `on_refusal` gets the status of each refusal.

        `may_accept` gets the number of connections at every turn of the loop, and says whether this process takes the
        next one.
        """
        self.on_refusal = on_refusal
        self.working: set[Connection] = set()
        self._may_accept = may_accept
        self._most_at_once = threads + max_waiting
        self._stop_by: float | None = None
        most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._max_connections = max(10, min(MAX_CONNECTIONS, most_files - SPARE_FILES))
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.queue_cv = LatestIdle(dispatcher.lock)
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

    def add_task(self, connection: Connection) -> None:
        self.working.add(connection)
        super().add_task(connection)

    def readable(self) -> bool:
        return bool(self.accepting) and self._may_accept(len(self.active_channels))

    def handle_accept(self) -> None:
        """Takes a connection, at the cost of the one that has waited longest where there are too many."""
        waiting = [one for one in self.active_channels.values() if not one.requests]
        if len(self.active_channels) >= self._max_connections and waiting:
            min(waiting, key=lambda one: one.waits_since).handle_close()
        super().handle_accept()

    def bound_held(self) -> None:
        """Gives up those that hold much and have waited longest, where all that is held is too much."""
        too_much = sum(one.held_bytes for one in self.active_channels.values()) - MAX_HELD_BYTES
        if too_much <= 0:
            return
        waiting = [one for one in self.active_channels.values() if not one.requests and one.held_bytes > SMALL_BYTES]
        for one in sorted(waiting, key=lambda one: one.waits_since):
            if too_much > 0:
                too_much -= one.held_bytes
                one.give_up(TOO_MUCH_HELD)

    def stop(self) -> None:
        """Ends `run` when the requests that have come are answered. Safe in a signal handler."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_WITHIN_S
            self.pull_trigger()

    def run(self) -> None:
        """Serves until stopped."""
        sweep_at = 0.0
        while not self._is_over():
            wasyncore.loop(timeout=0.1 if self.is_stopping else SWEEP_INTERVAL_S, map=self._map, use_poll=True, count=1)
            if self.is_stopping:
                self._stop_listening()
            if self.is_stopping or time.monotonic() >= sweep_at:
                sweep_at = time.monotonic() + SWEEP_INTERVAL_S
                self._sweep()
        self.task_dispatcher.shutdown()

    def close(self) -> None:
        """Cuts the connections that are left, after `run`."""
        for connection in list(self.active_channels.values()):
            connection.handle_close()
        super().close()

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self.active_channels.values()):
            connection.sweep(now)
        self.bound_held()

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
    return Adjustments(
        server_name=host,
        ident=None,
        backlog=BACKLOG,
        recv_bytes=SMALL_BYTES,
        connection_limit=_UNBOUNDED,  # the longest idle one makes room instead
        log_socket_errors=False,
        max_request_header_size=MAX_HEAD_BYTES,
        max_request_body_size=max_body_bytes + 1,
        # memory is bounded by the server over all connections; no thread waits for one, and nothing goes to the disk
        inbuf_overflow=_UNBOUNDED,
        outbuf_overflow=_UNBOUNDED,
        outbuf_high_watermark=_UNBOUNDED,
        clear_untrusted_proxy_headers=False,  # whose word counts is decided by the application
    )
