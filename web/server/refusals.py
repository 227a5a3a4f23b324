"""The answers that need no application: problem details (RFC 9457) for requests that are bad, too much or too slow."""

import json
from dataclasses import dataclass
from http import HTTPStatus

MAX_HEAD_BYTES = 65_536
MAX_ADDRESS_CHARS = 8_190
MAX_HEADERS = 100


@dataclass(frozen=True)
class Refusal:
    """A problem detail, after which the connection ends unless `keeps_connection`."""

    status: HTTPStatus
    detail: str
    retry_after_s: int = 0
    keeps_connection: bool = False

    @property
    def code(self) -> int:
        return int(self.status)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """But for the length of the body."""
        retry = [("Retry-After", str(self.retry_after_s))] if self.retry_after_s else []
        kind = ("Content-Type", "application/problem+json")
        return [kind, ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"), *retry]

    @property
    def body(self) -> bytes:
        """The problem detail as JSON."""
        title = self.status.phrase
        return json.dumps({"type": "about:blank", "title": title, "status": self.code, "detail": self.detail}).encode()


def body_too_large(most_bytes: int) -> Refusal:
    """The answer to a body of more bytes than that."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request is larger than {most_bytes:,} bytes. Send a smaller picture or fewer things at once.",
    )


OVERLOADED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "More requests are waiting than can be answered soon. Try again in a second.",
    retry_after_s=1,
    keeps_connection=True,
)
TOO_MUCH_HELD = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Too much is being sent here at the moment. Try again in a minute.",
    retry_after_s=60,
)
TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "The request came too slowly.")
FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed at this request. Its log says why.")
UNREADABLE = Refusal(HTTPStatus.BAD_REQUEST, "This is no request that can be read: see RFC 9112.")
UNKNOWN_VERSION = Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
LENGTH_NEEDED = Refusal(HTTPStatus.LENGTH_REQUIRED, "Send the body with its Content-Length.")
UNKNOWN_CODING = Refusal(HTTPStatus.NOT_IMPLEMENTED, "This Transfer-Encoding is not taken here.")
UNKNOWN_EXPECTATION = Refusal(HTTPStatus.EXPECTATION_FAILED, "Of Expect only 100-continue is known.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The request's head has more than {MAX_HEAD_BYTES:,} bytes or {MAX_HEADERS} headers.",
)
ADDRESS_TOO_LONG = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG,
    f"The address is longer than {MAX_ADDRESS_CHARS:,} characters. Send the search as JSON: POST /api/search.",
)
