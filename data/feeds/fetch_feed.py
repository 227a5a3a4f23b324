"""Downloads a feed from an address that the owner named: from that host, and from public ones that it leads to."""

import time
from typing import BinaryIO
from urllib.parse import urlsplit

from magpie.data.errors import NotFetched
from magpie.data.pictures.http_get import FetchPolicy, http_get
from magpie.data.pictures.url_rules import HostRule, is_public

MOST_REDIRECTS = 5
WHOLE_S = 3_600.0
_ACCEPT = "text/csv, application/json, application/xml, text/xml, */*;q=0.5"


def fetch_feed(address: str, file: BinaryIO, max_bytes: int) -> str:
    """The content type of what lies at the address, which is written to the file. Raises NotFetched."""
    until = time.monotonic() + WHOLE_S
    named = urlsplit(address).hostname
    for _ in range(MOST_REDIRECTS + 1):
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise NotFetched(f"is no address ({error})") from error
        # the owner named this host, so that it may be one of the owner's own network; where it leads may not
        may_connect = _anywhere if host == named else is_public
        policy = FetchPolicy((HostRule(host.rstrip(".").lower(), port, False),), max_bytes, 0, may_connect=may_connect)
        file.seek(0)
        file.truncate()
        answer = http_get(address, policy, file.write, until, {"Accept": _ACCEPT})
        if answer.status == 200:
            return answer.headers.get("content-type", "")
        address = answer.next_address(address)
    raise NotFetched(f"was not fetched: more than {MOST_REDIRECTS} redirects")


def _anywhere(address: str) -> bool:
    return True
