"""The bytes of a connection → where a request's head and body end, and the refusals that need no application."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus

MAX_HEAD_BYTES = 65_536
_END = b"\r\n\r\n"
_TELLING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_NUMBER = re.compile(rb"[0-9]{1,15}")


@dataclass(frozen=True)
class Head:
    """What a request's head says: its own length and that of the body, in bytes."""

    head_bytes: int
    body_bytes: int
    is_chunked: bool
    waits_for_go_ahead: bool

    @property
    def total_bytes(self) -> int:
        return self.head_bytes + self.body_bytes


def read_head(received: bytearray) -> Head | None:
    """The head, once all of it has come. What it says wrongly counts as nothing: the parser behind will refuse it."""
    end = received.find(_END, 0, MAX_HEAD_BYTES)
    if end < 0:
        return None
    said = [(name.lower(), value.strip()) for name, value in _TELLING.findall(received, 0, end + 2)]
    lengths = {value for name, value in said if name == b"content-length"}
    length = lengths.pop() if len(lengths) == 1 else b"0"
    return Head(
        head_bytes=end + len(_END),
        body_bytes=int(length) if _NUMBER.fullmatch(length) else 0,
        is_chunked=any(name == b"transfer-encoding" for name, _ in said),
        waits_for_go_ahead=any(name == b"expect" and value.lower() == b"100-continue" for name, value in said),
    )


@dataclass(frozen=True)
class Refusal:
    """An answer that is ready before the application is asked: a problem detail (RFC 9457)."""

    status: HTTPStatus
    detail: str
    retry_after_s: int = 0
    keeps_line: bool = False

    def as_bytes(self) -> bytes:
        """The whole answer as it goes over the line."""
        about = {"type": "about:blank", "title": self.status.phrase, "status": int(self.status), "detail": self.detail}
        body = json.dumps(about).encode()
        head = [
            f"HTTP/1.1 {int(self.status)} {self.status.phrase}",
            "Content-Type: application/problem+json",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            *([f"Retry-After: {self.retry_after_s}"] if self.retry_after_s else []),
            f"Connection: {'keep-alive' if self.keeps_line else 'close'}",
        ]
        return "\r\n".join(head).encode() + _END + body


OVERLOADED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "More requests are waiting than can be answered soon. Try again in a second.",
    retry_after_s=1,
    keeps_line=True,
)
TOO_MANY_UPLOADS = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Too much is being sent here at the moment. Try again in a minute.",
    retry_after_s=60,
)
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The request's head is longer than {MAX_HEAD_BYTES:,} bytes."
)
LENGTH_NEEDED = Refusal(HTTPStatus.LENGTH_REQUIRED, "Send the body with its Content-Length.")


def body_too_large(most_bytes: int) -> Refusal:
    """The answer to a body beyond the limit."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request is larger than {most_bytes:,} bytes. Send a smaller picture or fewer things at once.",
    )
