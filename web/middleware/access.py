"""Decides whether a request may write, read insights and metrics, or send events for other systems.

While there is no token at all, only programs and pages on the server's own machine may; once there is one, only who
bears one of the right scope.
"""

import ipaddress
import threading
import time
from urllib.parse import urlsplit

from flask import Request, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from magpie.data.database.api_tokens import ADMIN, Bearer, KnownToken, bearer_of, digest_of, read_tokens
from magpie.data.database.connection import Database
from magpie.data.settings import Settings

_READ_AGAIN_S = 1.0  # a revoked token opens nothing any more after this time
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_RELAYED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP")


class Access:
    """The tokens that there are, and what a request may do. Safe to share among threads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._of_settings = (
            [KnownToken(digest_of(settings.api_token), Bearer("MAGPIE_API_TOKEN", (ADMIN,)))]
            if settings.api_token
            else []
        )
        self._known: list[KnownToken] = []
        self._read_at = float("-inf")
        self._reading = threading.Lock()

    def demand(self, scope: str) -> None:
        """Raises Unauthorized or Forbidden unless the current request has this scope."""
        known = self._tokens()
        if not known:
            _demand_this_machine(request)
            return
        bearer = bearer_of(known, _token_in(request))
        if bearer is None:
            raise Unauthorized(
                f"Send the header Authorization: Bearer with a token of the scope {scope}; "
                "`magpie token create` makes one.",
                www_authenticate=_challenges(request),
            )
        if not bearer.may(scope):
            raise Forbidden(
                f"The token {bearer.name} opens {', '.join(bearer.scopes)}; this needs the scope {scope}. "
                "`magpie token create` makes another."
            )

    def allows(self, scope: str) -> bool:
        """Whether the current request has this scope."""
        try:
            self.demand(scope)
        except (Unauthorized, Forbidden):
            return False
        return True

    def bearer(self) -> Bearer | None:
        """The bearer of the current request's token, None without a known token."""
        token = _token_in(request)
        return bearer_of(self._tokens(), token) if token else None

    def _tokens(self) -> list[KnownToken]:
        if time.monotonic() - self._read_at > _READ_AGAIN_S:
            with self._reading:
                self._known = [*self._of_settings, *read_tokens(self._database)]
                self._read_at = time.monotonic()
        return self._known


def has_tokens(settings: Settings, database: Database) -> bool:
    """Whether somebody from another machine could be let in."""
    return bool(settings.api_token) or bool(read_tokens(database))


def is_loopback(address: str) -> bool:
    """Whether an address, or the name localhost, is this machine's own."""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _token_in(sent: Request) -> str:
    """The bearer token; or, for reading only, the password of a browser's prompt: it comes along with forged requests
    too, so it must not open writing."""
    given = sent.authorization
    if given is None:
        return ""
    if given.type == "bearer":
        return given.token or ""
    return (given.password or "") if given.type == "basic" and sent.method in _SAFE_METHODS else ""


def _challenges(sent: Request) -> list[WWWAuthenticate]:
    bearer = WWWAuthenticate("bearer")
    if sent.method not in _SAFE_METHODS:
        return [bearer]
    return [bearer, WWWAuthenticate("basic", {"realm": "Magpie: any name, a token as password", "charset": "UTF-8"})]


def _demand_this_machine(sent: Request) -> None:
    if not _comes_from_this_machine(sent):
        raise Forbidden(
            "Without a token, only programs on the server's own machine may do this. Make one there with "
            "`magpie token create`, or set MAGPIE_API_TOKEN, to do it from elsewhere."
        )


def _comes_from_this_machine(sent: Request) -> bool:
    """A direct connection from a loopback address, not relayed by a proxy and not made by a web page elsewhere."""
    if any(header in sent.headers for header in _RELAYED):
        return False
    if sent.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    if urlsplit(sent.headers.get("Origin", sent.host_url)).netloc != sent.host:
        return False
    # a name that an attacker points at 127.0.0.1 would make the browser call us same-origin
    host = sent.host.rsplit(":", 1)[0].strip("[]")
    return is_loopback(sent.remote_addr or "") and is_loopback(host)
