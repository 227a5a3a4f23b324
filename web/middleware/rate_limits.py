"""Refuses requests beyond what one address, one token or one client may send: 429 with Retry-After."""

import functools
import ipaddress
import math
import time

from limits import RateLimitItem, parse
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.web.shared.rate_counters import SharedCounters

_MAX_NAME = 200
_ONCE = parse("1 per 1 hour")


class RateLimits:
    """Counts what comes from whom, over all workers of the server. Safe to share among threads."""

    def __init__(self, settings: Settings, counters: SharedCounters) -> None:
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

    def is_first_use(self, code: str) -> bool:
        """Whether a code comes for the first time within an hour, to whichever worker."""
        return self._limiter.hit(_ONCE, "code", code)

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
