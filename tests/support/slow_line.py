"""A slow line to a server: every request waits before it is passed on, whole connections as real ones do."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.support.serving import Server

_CHUNK = 65_536


@dataclass
class SlowLine:
    """Its address, and the seconds that each request waits, which may be changed meanwhile."""

    url: str
    delay_s: float


@contextmanager
def slow_line(server: Server, delay_s: float) -> Iterator[SlowLine]:
    """A port that passes on to the server what it gets, late."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = SlowLine(f"http://127.0.0.1:{listening.getsockname()[1]}", delay_s)
        accepting = threading.Thread(target=_accept, args=(listening, server.port, line))
        accepting.start()
        yield line
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _accept(listening: socket.socket, port: int, line: SlowLine) -> None:
    serving: list[threading.Thread] = []
    with suppress(OSError):  # the test is over
        while True:
            client, _ = listening.accept()
            serving.append(threading.Thread(target=_serve, args=(client, port, line)))
            serving[-1].start()
    for one in serving:
        one.join()


def _serve(client: socket.socket, port: int, line: SlowLine) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        answering = threading.Thread(target=_pass_on, args=(server, client, None))
        answering.start()
        _pass_on(client, server, line)
        answering.join()


def _pass_on(source: socket.socket, target: socket.socket, line: SlowLine | None) -> None:
    with suppress(OSError):  # one of the two has hung up
        while chunk := source.recv(_CHUNK):
            if line:
                time.sleep(line.delay_s)
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
