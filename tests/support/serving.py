"""The real server as a process of its own, for tests that talk to it as strangers do."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from magpie.data.database.owner_token import make_owner_token
from magpie.data.settings import Settings
from magpie.web.app import create_app


class Client(FlaskClient):
    """Reads answers to their end, as clients on a network do, so that files are closed."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("buffered", True)
        return super().open(*args, **kwargs)


def client_of(app: Flask) -> Client:
    """A client of this application, without a network."""
    return Client(app, app.response_class, use_cookies=True)


@contextmanager
def client_on_a_copy(shop: Settings, folder: Path) -> Iterator[Client]:
    """A client of the application on a copy of the shop's home in this new folder, for tests that only read."""
    shutil.copytree(shop.home, folder)
    app = create_app(shop.model_copy(update={"home": folder}))
    yield client_of(app)
    app.extensions["magpie"].close()


def backend_of(app: Flask) -> Client:
    """The same as the shop's backend, which speaks for its clients: every request has the owner's token."""
    client = client_of(app)
    token = make_owner_token(app.extensions["magpie"].settings.home)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


COMMAND = [sys.executable, "-P", "-m", "magpie"]
READY_WITHIN_S = 120


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running `magpie serve`."""

    home: Path
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signals the whole process group; returns the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return self.process.wait(30)


@contextmanager
def serving(
    home: Path, port: int | None = None, command: tuple[str, ...] = ("serve",), **environment: str
) -> Iterator[Server]:
    """A server on this home that answers /healthz, ended afterwards."""
    port = port or free_port()
    log = home.parent / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, "--home", str(home), *command, "--port", str(port)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, "MAGPIE_RATE_LIMIT": "10000 per second", "MAGPIE_TRUST_LOOPBACK": "1", **environment},
        )  # fmt: skip
    server = Server(home, process, port, log)
    try:
        _wait(server)
        yield server
    finally:
        server.stop()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert server.process.poll() is None, f"the server ended: {server.log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{server.url}/healthz", timeout=5):
                return
        except OSError:  # not listening yet, or not answering yet
            time.sleep(0.1)
    raise AssertionError(f"not ready within {READY_WITHIN_S} s: {server.log.read_text()[-2000:]}")
