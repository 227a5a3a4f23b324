"""Reads a request: its head in exactly one way (RFC 9112) and in linear time, or it is refused."""

import re
from typing import Any

from waitress.parser import HTTPRequestParser

from magpie.web.server import refusals
from magpie.web.server.refusals import MAX_ADDRESS_CHARS, MAX_HEADERS, Refusal

_START_LINE = re.compile(rb"[A-Z-]+ [^\x00-\x20\x7f]+ HTTP/([0-9]\.[0-9])")
_READABLE = bytes(byte for byte in range(256) if byte in b"\t\r\n" or (byte >= 0x20 and byte != 0x7F))
_BLANKS_BEFORE_VALUE = re.compile(rb"(?<=\n)([^\s:]+:)[ \t]+")


class _RefusedError(Exception):
    """Ends the reading of a head; carries the Refusal."""


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request as it comes in. `error` is None, or the Refusal that answers it."""

    error: Any
    path = ""

    def received(self, data: bytes) -> int:
        """Takes the bytes that belong to this request, and returns how many those are."""
        used = int(super().received(data))
        if self.error is not None:
            self.expect_continue = False  # nothing more is wanted
            self.error = self._refusal()
        return used

    def parse_header(self, head: bytes) -> None:
        """Reads a whole head; sets `error` where it cannot be read in exactly one way, or asks for too much."""
        try:
            super().parse_header(checked_head(head))
            self._check_fields()
        except _RefusedError as refused:
            self.error = refused.args[0]
        except ValueError:  # a length of thousands of digits, an address with half an IPv6 host
            self.error = refusals.UNREADABLE
        if self.error is not None:
            self.body_rcv, self.content_length = None, 0  # nothing behind it is read

    def _check_fields(self) -> None:
        fields = self.headers
        if self.chunked or "TRANSFER_ENCODING" in fields:
            raise _RefusedError(refusals.LENGTH_NEEDED)
        if (self.version == "1.1" and "HOST" not in fields) or "," in fields.get("HOST", ""):
            raise _RefusedError(refusals.UNREADABLE)
        if fields.get("EXPECT", "100-continue").lower() != "100-continue":
            raise _RefusedError(refusals.UNKNOWN_EXPECTATION)

    def _refusal(self) -> Refusal:
        """Waitress' own errors as ours."""
        if isinstance(self.error, Refusal):
            return self.error
        too_large = refusals.body_too_large(self.adj.max_request_body_size - 1)
        known = {413: too_large, 431: refusals.HEAD_TOO_LARGE, 501: refusals.UNKNOWN_CODING}
        return known.get(self.error.code, refusals.UNREADABLE)


def checked_head(head: bytes) -> bytes:
    """The head as waitress' regular expressions read it in linear time. Raises _RefusedError.

    They take quadratic time over many blanks before a value and over long first lines.
    """
    first, _, fields = head.partition(b"\r\n")
    if len(first) > MAX_ADDRESS_CHARS + len("OPTIONS  HTTP/1.1"):
        raise _RefusedError(refusals.ADDRESS_TOO_LONG)
    read = _START_LINE.fullmatch(first)
    fields = b"\r\n" + fields
    if read is None or fields.translate(None, _READABLE) or b"\n " in fields or b"\n\t" in fields:
        raise _RefusedError(refusals.UNREADABLE)
    if fields.count(b"\n") > MAX_HEADERS + 2:
        raise _RefusedError(refusals.HEAD_TOO_LARGE)
    if read[1] not in (b"1.0", b"1.1"):
        raise _RefusedError(refusals.UNKNOWN_VERSION)
    if b":  " in fields or b"\t" in fields:
        fields = _BLANKS_BEFORE_VALUE.sub(rb"\1 ", fields)
    return first + fields
