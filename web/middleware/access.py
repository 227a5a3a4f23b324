"""Decides whether a request may write, read insights and metrics, or send events for other systems.

Each needs a token of its scope: the owner's, MAGPIE_API_TOKEN, or one of `magpie token create`. The owner's browser may
read by a cookie, which a link of `magpie serve` sets. Only with MAGPIE_TRUST_LOOPBACK do programs and pages on the
server's own machine need none.
"""

import ipaddress
import re
import threading
import time
from urllib.parse import urlsplit

from flask import Request, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from magpie.data.database.api_tokens import ADMIN, READ, Bearer, KnownToken, bearer_of, digest_of, read_tokens
from magpie.data.database.connection import Database
from magpie.data.database.owner_token import make_owner_token, read_owner_token
from magpie.data.settings import Settings
from magpie.web.middleware.owner_link import cookie_name, is_owners_cookie

_READ_AGAIN_S = 1.0  # a revoked token opens nothing any more after this time
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# what proxies and networks of proxies add to a request
_RELAYED = re.compile(
    r"(x-)?forwarded(-.*)?|via|(x-)?(.*-)?(client|real|user|source|host|connecting)-?ip|cf-.*|cdn-.*|fastly-.*|fly-.*"
    r"|x-(original|envoy|amzn|azure|appengine|arr|proxy|proxyuser|varnish|nginx)-.*|x-host|client-ip"
)


class Access:
    """The tokens that there are, and what a request may do. Safe to share among threads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Makes the owner's token where there is none. Raises BadSetting."""
        self._database = database
        self._home = settings.home
        self._trusts_loopback = settings.trust_loopback
        self._of_settings = (
            [KnownToken(digest_of(settings.api_token), Bearer("MAGPIE_API_TOKEN", (ADMIN,)))]
            if settings.api_token
            else []
        )
        self._known: list[KnownToken] = []
        self._owner_token = make_owner_token(settings.home)
        self._read_at = float("-inf")
        self._reading = threading.Lock()

    def demand(self, scope: str) -> None:
        """Raises Unauthorized or Forbidden unless the current request has this scope."""
        token = _token_in(request)
        if not token and (
            self._is_owners_browser(scope) or (self._trusts_loopback and comes_from_this_machine(request))
        ):
            return
        bearer = bearer_of(self._tokens(), token)
        if bearer is None:
            raise Unauthorized(
                f"Send the header Authorization: Bearer with a token of the scope {scope}: the one in the file "
                "owner-token of the home, or one that `magpie token create` makes.",
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

    def owner_token(self) -> str:
        """The owner's token as it is now, "" once its file was deleted."""
        self._tokens()
        return self._owner_token

    def _is_trusted_machine(self) -> bool:
        return self._trusts_loopback and comes_from_this_machine(request)

    def _is_owners_browser(self, scope: str) -> bool:
        """Whether the request only reads, and has the cookie that an owner's link sets."""
        if scope != READ or request.method not in _SAFE_METHODS or not request.cookies:
            return False
        token = self.owner_token()
        return bool(token) and is_owners_cookie(request.cookies.get(cookie_name(token), ""), token)

    def _tokens(self) -> list[KnownToken]:
        if time.monotonic() - self._read_at > _READ_AGAIN_S:
            with self._reading:
                self._owner_token = read_owner_token(self._home)
                owner = Bearer("the owner's", (ADMIN,))
                of_owner = [KnownToken(digest_of(self._owner_token), owner)] if self._owner_token else []
                self._known = [*of_owner, *self._of_settings, *read_tokens(self._database)]
                self._read_at = time.monotonic()
        return self._known


def is_loopback(address: str) -> bool:
    """Whether an address, or the name localhost, is this machine's own."""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def comes_from_this_machine(sent: Request) -> bool:
    """Whether a request says nothing else than that it came directly from a loopback address to one, and from no page
    of another site. A relay that adds nothing looks the same: this alone proves nothing."""
    if any(_RELAYED.fullmatch(name.lower()) for name in sent.headers.keys()):  # noqa: SIM118  (werkzeug's own mapping)
        return False
    if sent.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    if urlsplit(sent.headers.get("Origin", sent.host_url)).netloc != sent.host:
        return False
    # a name that an attacker points at 127.0.0.1 would make the browser call us same-origin
    host = sent.host.rsplit(":", 1)[0].strip("[]")
    return is_loopback(sent.remote_addr or "") and is_loopback(host)


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
