"""Lets pages of the origins that the owner names search and send events, and nothing else (CORS)."""

import re
from urllib.parse import urlsplit

from flask import Response, request
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

from magpie.data.errors import BadSetting

# only what needs no token: pages of other sites can never change items
_OPEN = re.compile(r"/api/(search|suggest|recommend|events|items/.+)")
_METHODS = {"/api/search": "GET, POST", "/api/events": "POST"}
_KEEP_S = 600


class CrossOrigin:
    """Adds the headers by which browsers let pages of these origins read the answers."""

    def __init__(self, origins: frozenset[str]) -> None:
        self.origins = origins

    def demand_known_page(self) -> None:
        """Raises unless a page of the server's own or of a named origin sent the request, as its `Origin` says.

        UnsupportedMediaType where there is none, Forbidden for others. It is for bodies that browsers let the pages of
        any site send without asking the server first.
        """
        origin = request.headers.get("Origin", "")
        if not origin:
            raise UnsupportedMediaType(
                "Send application/json; text/plain is taken only from pages, which say their Origin."
            )
        if origin not in self.origins and origin != request.host_url.rstrip("/").lower():
            raise Forbidden(
                f"Pages of {origin[:100]} may not send text/plain. MAGPIE_ALLOWED_ORIGINS names those that may."
            )

    def add_headers(self, answer: Response) -> None:
        """Marks an answer as readable by the page that asked, where its origin is named."""
        if request.path.startswith("/pictures"):
            answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if not _OPEN.fullmatch(request.path):
            return
        answer.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin not in self.origins:
            return
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = "Retry-After"
        if request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = _METHODS.get(request.path, "GET")
            answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
            answer.headers["Access-Control-Max-Age"] = str(_KEEP_S)


def parse_origins(text: str) -> frozenset[str]:
    """The origins of a list such as `https://shop.example, https://www.shop.example`. Raises BadSetting."""
    origins = frozenset(one.strip() for one in text.split(",") if one.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise BadSetting(f"MAGPIE_ALLOWED_ORIGINS: {origin!r} is no origin; write https://shop.example")
    return origins
