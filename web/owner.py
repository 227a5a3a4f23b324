"""Who may do what only the shop's owner may: the token's holder, or while there is no token, this machine alone."""

import hmac
import ipaddress

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from data.settings import Settings


def let_only_the_owner(settings: Settings, doing: str) -> None:
    """Raises Unauthorized without the right token, Forbidden from elsewhere while there is none.

    `doing` completes "may …", for the message.
    """
    if settings.api_token:
        given = request.authorization.token if request.authorization and request.authorization.type == "bearer" else ""
        if not hmac.compare_digest((given or "").encode(), settings.api_token.encode()):
            raise Unauthorized(
                "Send the header Authorization: Bearer with the server's MAGPIE_API_TOKEN.",
                www_authenticate=WWWAuthenticate("bearer"),
            )
    elif not _comes_from_this_machine():
        raise Forbidden(
            f"Without a token, only programs on the server's own machine may {doing}. "
            f"Set MAGPIE_API_TOKEN there to {doing} from elsewhere."
        )


def _comes_from_this_machine() -> bool:
    """A direct connection from a loopback address, not relayed by a proxy and not made by a web page elsewhere."""
    if any(header in request.headers for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP")):
        return False
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    # a name that an attacker points at 127.0.0.1 would make the browser call us same-origin
    host = request.host.rsplit(":", 1)[0].strip("[]")
    return _is_loopback(request.remote_addr or "") and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
