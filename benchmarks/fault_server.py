"""A server that is killed while a client puts and deletes items and reports events, and what must be there then."""

import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import quote

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.web.serve import serve

Tell = Callable[[Any], None]
TURNS = 60
READY_WITHIN_S = 120.0


def serve_and_write(settings: Settings, number: int, tell: Tell) -> None:
    """Serves, while a process beside it writes, and tells what was acknowledged."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = os.getpid()
    if os.fork():
        serve(settings, "127.0.0.1", port, lambda url: None)
    try:
        _write(port, number, tell)
        os.kill(server, signal.SIGTERM)
    except (OSError, http.client.HTTPException):
        pass  # the server was killed
    finally:
        os._exit(0)


def _write(port: int, number: int, tell: Tell) -> None:
    line = _connect(port)
    tell("began")
    for n in range(TURNS):
        name = f"try-{number}-{n}"
        _ask(line, "PUT", f"/api/items/{name}", {"title": f"Kept {n}"})
        tell(["put", name])
        lines = "".join(json.dumps({"item_id": f"{name}-{k}", "title": f"Line {k}"}) + "\n" for k in range(20))
        _ask(line, "POST", "/api/items", lines, "application/x-ndjson")
        tell(["lines", name])
        _ask(line, "POST", "/api/events", [{"action_name": "view", "event_id": name}])
        tell(["event", name])
        if n % 4 == 3:
            _ask(line, "DELETE", f"/api/items/try-{number}-{n - 3}")
            tell(["deleted", f"try-{number}-{n - 3}"])


def _connect(port: int) -> http.client.HTTPConnection:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            _ask(line, "GET", "/healthz")
            return line
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(1)
            time.sleep(0.05)


def _ask(line: http.client.HTTPConnection, method: str, path: str, body: Any = None, kind: str = "") -> None:
    content = body if isinstance(body, str) or body is None else json.dumps(body)
    line.request(method, quote(path), content, {"Content-Type": kind or "application/json"})
    answer = line.getresponse()
    if answer.read() and answer.status >= 300:
        raise AssertionError(f"{method} {path} was answered with {answer.status}")


def check_written(settings: Settings, number: int, told: Sequence[Sequence[str]]) -> int:
    """How many acknowledged items, deletions and events are not there."""
    done = {kind: {name for what, name in told if what == kind} for kind, _ in map(tuple, told)}
    deleted = done.get("deleted", set())
    # the event before a deletion may be the last thing acknowledged: what was to be deleted then may be there or not
    doomed = {f"try-{number}-{n - 3}" for n in range(3, TURNS, 4) if f"try-{number}-{n}" in done.get("event", set())}
    wanted = done.get("put", set()) - doomed
    wanted |= {f"{name}-{k}" for name in done.get("lines", set()) for k in range(20)}
    with closing(open_database(settings)) as database:
        found = Catalogue(database, settings).ids_of(list(wanted | deleted))
        with database.reading() as connection:
            events = {row[0] for row in connection.exec_driver_sql("SELECT event_id FROM events")}
    return len(wanted - found.keys()) + len(deleted & found.keys()) + len(done.get("event", set()) - events)
