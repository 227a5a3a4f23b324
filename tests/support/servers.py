"""Programs that talk to running servers, with a token, until something is found."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.serving import Server

WITHIN_S = 30  # on a busy machine


@dataclass
class Caller:
    """Talks to one server; `acknowledged` is for its user to keep what was answered."""

    server: Server
    token: str
    acknowledged: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON that is answered. Raises urllib's errors."""
        request = urllib.request.Request(
            self.server.url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def found(self, words: str, name: str = "item_id") -> list[str]:
        """A field of each hit."""
        return [hit[name] for hit in self.ask("GET", f"/api/search?q={urllib.parse.quote(words)}")["hits"]]

    def wait_for(self, words: str, item_id: str | None = None) -> None:
        """Waits until the search finds this item, or anything."""
        wait_until(lambda: bool(found := self.found(words)) and (item_id is None or item_id in found))


def wait_until(is_so: Callable[[], bool]) -> None:
    """Asks again and again, also where the server does not answer yet."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except urllib.error.URLError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"not within {WITHIN_S} s")
