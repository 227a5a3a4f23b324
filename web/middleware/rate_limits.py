"""Requests → those beyond what one address, one token or one client may send are refused: 429 with Retry-After."""

import functools
import ipaddress
import math
import mmap
import secrets
import struct
import time
from hashlib import blake2b
from typing import Any

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.web.shared_memory import SharedLock

_MAX_NAME = 200


class RateLimits:
    """Counts what comes from whom, over all workers of the server. Safe to share among threads."""

    def __init__(self, settings: Settings, counters: "SharedCounters") -> None:
        self._limiter = FixedWindowRateLimiter(counters)
        self._of_address = _parsed("MAGPIE_RATE_LIMIT", settings.rate_limit)
        self._of_client = _parsed("MAGPIE_CLIENT_RATE_LIMIT", settings.client_rate_limit)

    def count_address(self, address: str) -> None:
        """Counts a request of an address, or of an IPv6 address's network. Raises TooManyRequests."""
        said = "came from this address"
        self._count(self._of_address, "address", neighbourhood(address), 1, said, "MAGPIE_RATE_LIMIT")

    def count_token(self, name: str) -> None:
        """Counts a request with a token, from wherever it comes. Raises TooManyRequests."""
        self._count(self._of_address, "token", name, 1, f"came with the token {name}", "MAGPIE_RATE_LIMIT")

    def count_client(self, name: str, deeds: int = 1) -> None:
        """Counts searches or events of a client or session, "" for nobody. Raises TooManyRequests."""
        if name:
            said = "came from this client"
            self._count(self._of_client, "client", name[:_MAX_NAME], deeds, said, "MAGPIE_CLIENT_RATE_LIMIT")

    def _count(self, limit: RateLimitItem, kind: str, name: str, deeds: int, said: str, setting: str) -> None:
        if not self._limiter.hit(limit, kind, name, cost=deeds):
            wait_s = self._limiter.get_window_stats(limit, kind, name).reset_time - time.monotonic()
            raise TooManyRequests(
                f"More than {limit} {said}. Wait a moment; {setting} sets the limit.",
                retry_after=max(1, math.ceil(wait_s)),
            )


@functools.lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """The address itself; of IPv6 the network of 64 bits, which is what one line gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))


def _parsed(name: str, text: str) -> RateLimitItem:
    try:
        return parse(text)
    except ValueError as error:
        raise BadSetting(f"{name}: {text!r} is no rate; write 20 per second, or 1000 per hour") from error


def check_rates(settings: Settings) -> None:
    """Raises BadSetting for a limit that is no rate."""
    _parsed("MAGPIE_RATE_LIMIT", settings.rate_limit)
    _parsed("MAGPIE_CLIENT_RATE_LIMIT", settings.client_rate_limit)


class SharedCounters(Storage):
    """Fixed windows for `limits`, in memory that all workers share: key → hits, and when the window ends (monotonic).

    A table of BUCKETS x WAYS entries by a keyed hash. Where a bucket is full of windows that go on, the one with the
    fewest hits is forgotten: counting costs the same however many come.
    """

    STORAGE_SCHEME = ["magpie-shared"]  # noqa: RUF012  (the library's own declaration)
    BUCKETS, WAYS = 8_192, 8
    _ENTRY = struct.Struct("=QQd")  # the key's hash, hits, the window's end

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._memory = mmap.mmap(-1, self.BUCKETS * self.WAYS * self._ENTRY.size)
        self._secret = secrets.token_bytes(16)  # else strangers could choose names that fall into one bucket
        self._lock = SharedLock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Counts these hits; how many there are in the window, which is begun where none goes on."""
        digest, now = self._digest(key), time.monotonic()
        with self._lock.held():
            entries = self._bucket(digest)
            place, hits, end = next((e for e in entries if self._is_of(e, digest, now)), (-1, 0, now + expiry))
            if place < 0:
                place = min(entries, key=lambda entry: (entry[2] > now, entry[1]))[0]
            self._ENTRY.pack_into(self._memory, place, digest, hits + amount, end)
        return hits + amount

    def get(self, key: str) -> int:
        """Hits in the window that goes on."""
        return self._found(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the window ends, now where none goes on."""
        return self._found(key)[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock.held():
            self._memory[:] = bytes(len(self._memory))
        return self.BUCKETS * self.WAYS

    def clear(self, key: str) -> None:
        digest, now = self._digest(key), time.monotonic()
        with self._lock.held():
            for entry in self._bucket(digest):
                if self._is_of(entry, digest, now):
                    self._ENTRY.pack_into(self._memory, entry[0], 0, 0, 0.0)

    def _found(self, key: str) -> tuple[int, float]:
        digest, now = self._digest(key), time.monotonic()
        with self._lock.held():
            found = [entry for entry in self._bucket(digest) if self._is_of(entry, digest, now)]
        return (found[0][1], found[0][2]) if found else (0, now)

    def _digest(self, key: str) -> int:
        return int.from_bytes(blake2b(key.encode(), key=self._secret, digest_size=8).digest(), "little")

    def _bucket(self, digest: int) -> list[tuple[int, int, float]]:
        """(place in the memory, hits, end of the window) of the entries where this key may stand."""
        size = self._ENTRY.size
        first = digest % self.BUCKETS * self.WAYS * size
        places = range(first, first + self.WAYS * size, size)
        return [(place, *self._ENTRY.unpack_from(self._memory, place)[1:]) for place in places]

    def _is_of(self, entry: tuple[int, int, float], digest: int, now: float) -> bool:
        (of_key,) = struct.unpack_from("=Q", self._memory, entry[0])
        return bool(of_key == digest and entry[2] > now)
