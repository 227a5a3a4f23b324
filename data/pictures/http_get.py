"""Requests one URL over HTTP, by rules: only hosts that are named, only IP addresses that may be connected to.

A host name is resolved once and the connection goes to the checked IP address, so that the name cannot resolve to
another one in between. A response is limited in bytes and seconds.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urljoin

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from magpie.data.errors import NotFetched
from magpie.data.pictures.url_rules import HostRule, Target, is_public, parse_address

_CONNECT_S, _WHOLE_S = 5.0, 15.0
_CHUNK_BYTES = 65_536
_REDIRECTS = (301, 302, 303, 307, 308)


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host. Raises OSError."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


@dataclass(frozen=True)
class FetchPolicy:
    """The allowed hosts, the limits on a response, how names are resolved, and which IP addresses are allowed."""

    rules: Sequence[HostRule]
    max_bytes: int
    max_pixels: int
    whole_s: float = _WHOLE_S
    resolve: Callable[[str, int], list[str]] = resolve
    may_connect: Callable[[str], bool] = is_public


@dataclass(frozen=True)
class Answer:
    """The status and the headers of a response; a 200 has given its body."""

    status: int
    host: str
    headers: Mapping[str, str]

    def next_address(self, address: str) -> str:
        """Where the response to `address` leads. Raises NotFetched where it leads nowhere, or away from https."""
        location = self.headers.get("location")
        if self.status not in _REDIRECTS or not location:
            raise NotFetched(f"was not fetched: {self.host} answered {self.status}")
        following = urljoin(address, location)
        if address.startswith("https:") and not following.startswith("https:"):
            raise NotFetched(f"was not fetched: {self.host} leads on to an address without https")
        return following


def http_get(
    address: str, policy: FetchPolicy, take: Callable[[bytes], object], until: float, headers: Mapping[str, str]
) -> Answer:
    """The response to one request, its body given to `take` in pieces where the status is 200.

    `until` is the time, as of time.monotonic(), at which it must be whole. Raises NotFetched.
    """
    target = parse_address(address, policy.rules)
    with _request(target, policy, until, headers) as answer:
        if answer.status == 200:
            _read(answer, policy.max_bytes, until, take)
        return Answer(answer.status, target.host, {name.lower(): value for name, value in answer.headers.items()})


@contextmanager
def _request(
    target: Target, policy: FetchPolicy, until: float, headers: Mapping[str, str]
) -> Iterator[BaseHTTPResponse]:
    """The response, its body not yet read; errors of the connection are raised as NotFetched."""
    connection = _open(target, _pin(target, policy), min(_CONNECT_S, max(0.1, until - time.monotonic())))
    # the timeout holds for single reads, which a host that sends byte by byte never exceeds
    watchdog = threading.Timer(max(0.1, until - time.monotonic()), connection.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        sent = {"Accept-Encoding": "identity", "User-Agent": "Magpie", **headers}
        connection.request("GET", target.path, headers=sent, preload_content=False, decode_content=False)
        yield connection.getresponse()
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        late = " in time" if time.monotonic() >= until else ""
        reason = f"was not fetched: {target.host} did not answer{late} ({type(error).__name__})"
        raise NotFetched(reason, is_of_the_host=True) from error
    finally:
        watchdog.cancel()
        connection.close()


def _pin(target: Target, policy: FetchPolicy) -> str:
    """The first IP address of the host; raises NotFetched unless all its addresses are allowed."""
    try:
        found = policy.resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise NotFetched(f"was not fetched: {target.host} is not known ({error})", is_of_the_host=True) from error
    if not found or not all(map(policy.may_connect, found)):
        raise NotFetched(f"is not fetched: {target.host} is no public address")
    return found[0]


def _read(answer: BaseHTTPResponse, most: int, until: float, take: Callable[[bytes], object]) -> None:
    done = 0
    while chunk := answer.read1(_CHUNK_BYTES):
        done += len(chunk)
        if done > most:
            raise NotFetched(f"is larger than {most:,} bytes")
        take(chunk)
        if time.monotonic() >= until:
            break
    if time.monotonic() >= until:  # a connection that the watchdog cut looks like a complete response
        raise NotFetched("was not fetched: it takes too long", is_of_the_host=True)
    said = answer.headers.get("Content-Length", "")
    if said.isdigit() and int(said) != done:
        raise NotFetched("was not fetched: the answer was cut off", is_of_the_host=True)


class _Pinned:
    """A connection to one given IP address; TLS and the `Host` header use the host name."""

    address = ""
    _line: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        port, timeout = self.port, self.timeout  # type: ignore[attr-defined]
        opened = socket.create_connection((self.address, port), timeout)
        self._line = opened.dup()  # TLS wraps and closes the other one
        return opened

    def cut(self) -> None:
        """Shuts the connection down, which ends any waiting read."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection."""
        super().close()  # type: ignore[misc]
        if self._line is not None:
            self._line.close()


class _PinnedHTTP(_Pinned, HTTPConnection):
    pass


class _PinnedHTTPS(_Pinned, HTTPSConnection):
    pass


def _open(target: Target, address: str, timeout_s: float) -> _PinnedHTTP | _PinnedHTTPS:
    connection: _PinnedHTTP | _PinnedHTTPS
    if target.scheme == "https":
        context = ssl.create_default_context()
        connection = _PinnedHTTPS(target.host, target.port, timeout=timeout_s, ssl_context=context)
    else:
        connection = _PinnedHTTP(target.host, target.port, timeout=timeout_s)
    connection.address = address
    return connection
