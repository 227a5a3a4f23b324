"""Downloads pictures that are given by URL into the home, only from hosts that the owner named.

A host name is resolved once and the connection goes to the checked IP address, so that the name cannot resolve to
another one in between. A response is limited in bytes and seconds; each redirect is checked again.
"""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urljoin

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from magpie.data.errors import BadPicture, NotFetched, TooLarge
from magpie.data.home.atomic_files import write_whole
from magpie.data.pictures.decode import decode_coarsely, verify_picture
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.pictures.url_rules import HostRule, Target, is_public, parse_address, parse_rules
from magpie.data.settings import Settings

MOST_REDIRECTS = 3
AT_ONCE = 8
FETCH_AGAIN_AFTER_S = 7 * 86_400.0
GIVE_UP_AFTER = 5  # failures of one host in a row, within one batch
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


class PictureFetcher:
    """Downloads each URL once, for a week: pictures go to `images/` by content hash, URLs to `fetched/`."""

    def __init__(self, home: Path, policy: FetchPolicy, decoder: PictureSandbox) -> None:
        self._decoder = decoder
        self._images = home.absolute() / "images"
        self._addresses = home.absolute() / "fetched"
        self._policy = policy

    @classmethod
    def of(cls, settings: Settings, decoder: PictureSandbox) -> "PictureFetcher":
        """The fetcher that these settings allow. Raises BadSetting."""
        rules = parse_rules(settings.picture_hosts or "")
        policy = FetchPolicy(rules, settings.max_upload_bytes, settings.max_picture_pixels)
        return cls(settings.home, policy, decoder)

    def fetch_all(self, addresses: Iterable[str]) -> dict[str, Path | str]:
        """For each URL the file with its picture, or the reason why there is none; several are fetched in parallel."""
        distinct = list(dict.fromkeys(addresses))
        if not distinct:
            return {}
        failures: Counter[str] = Counter()

        def fetch(address: str) -> Path | str:
            host = address.split("/")[2:3]
            place = host[0] if host else ""
            if failures[place] >= GIVE_UP_AFTER:
                return "was not fetched: its host did not answer before"
            try:
                found = self.fetch(address)
            except NotFetched as error:
                failures[place] += error.is_of_the_host
                return str(error)
            failures[place] = 0
            return found

        with ThreadPoolExecutor(min(AT_ONCE, len(distinct)), thread_name_prefix="magpie-fetch") as threads:
            return dict(zip(distinct, threads.map(fetch, distinct), strict=True))

    def fetch(self, address: str) -> Path:
        """The file with the picture at this URL, downloaded now or in the last week. Raises NotFetched."""
        parse_address(address, self._policy.rules)
        record = self._addresses / blake2b(address.encode(), digest_size=16).hexdigest()
        kept = self._kept(record)
        if kept and time.time() - record.stat().st_mtime < FETCH_AGAIN_AFTER_S:
            return kept
        try:
            content = self._download(address)
            self._verify(content)
        except (BadPicture, TooLarge) as error:
            raise NotFetched(str(error)) from error
        except NotFetched:
            if kept:  # better an older picture than none
                return kept
            raise
        path = self._images / blake2b(content, digest_size=16).hexdigest()
        if not path.exists():
            write_whole(path, content)
        write_whole(record, json.dumps({"address": address, "content": path.name}).encode())
        return path

    def _verify(self, content: bytes) -> None:
        """Raises BadPicture for content that is not a whole picture, TooLarge."""
        verify_picture(content, "it", self._policy.max_pixels, partial(self._decoder.run, "it", decode_coarsely))

    def _kept(self, record: Path) -> Path | None:
        try:
            path = self._images / str(json.loads(record.read_bytes())["content"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return path if path.is_file() else None

    def _download(self, address: str) -> bytes:
        until = time.monotonic() + self._policy.whole_s
        for _ in range(MOST_REDIRECTS + 1):
            target = parse_address(address, self._policy.rules)
            with self._request(target, until) as answer:
                if answer.status == 200:
                    return self._read(answer, until)
                location = answer.headers.get("Location")
                if answer.status not in _REDIRECTS or not location:
                    raise NotFetched(f"was not fetched: {target.host} answered {answer.status}")
            following = urljoin(address, location)
            if target.scheme == "https" and not following.startswith("https:"):
                raise NotFetched(f"was not fetched: {target.host} leads on to an address without https")
            address = following
        raise NotFetched(f"was not fetched: more than {MOST_REDIRECTS} redirects")

    @contextmanager
    def _request(self, target: Target, until: float) -> Iterator[BaseHTTPResponse]:
        """The response, its body not yet read; errors of the connection are raised as NotFetched."""
        connection = _open(target, self._pin(target), min(_CONNECT_S, max(0.1, until - time.monotonic())))
        # the timeout holds for single reads, which a host that sends byte by byte never exceeds
        watchdog = threading.Timer(max(0.1, until - time.monotonic()), connection.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            headers = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "Magpie"}
            connection.request("GET", target.path, headers=headers, preload_content=False, decode_content=False)
            yield connection.getresponse()
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            late = " in time" if time.monotonic() >= until else ""
            reason = f"was not fetched: {target.host} did not answer{late} ({type(error).__name__})"
            raise NotFetched(reason, is_of_the_host=True) from error
        finally:
            watchdog.cancel()
            connection.close()

    def _pin(self, target: Target) -> str:
        """The first IP address of the host; raises NotFetched unless all its addresses are allowed."""
        try:
            found = self._policy.resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise NotFetched(f"was not fetched: {target.host} is not known ({error})", is_of_the_host=True) from error
        if not found or not all(map(self._policy.may_connect, found)):
            raise NotFetched(f"is not fetched: {target.host} is no public address")
        return found[0]

    def _read(self, answer: BaseHTTPResponse, until: float) -> bytes:
        most, content = self._policy.max_bytes, bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            content += chunk
            if len(content) > most:
                raise NotFetched(f"is larger than {most:,} bytes")
            if time.monotonic() >= until:
                break
        if time.monotonic() >= until:  # a connection that the watchdog cut looks like a complete response
            raise NotFetched("was not fetched: it takes too long", is_of_the_host=True)
        said = answer.headers.get("Content-Length", "")
        if said.isdigit() and int(said) != len(content):
            raise NotFetched("was not fetched: the answer was cut off", is_of_the_host=True)
        return bytes(content)


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
