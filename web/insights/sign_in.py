"""The link that lets the owner's browser in: its code is exchanged at once for a cookie that reads the insights."""

from flask import Blueprint, redirect, request
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from magpie.web.addresses import address_of
from magpie.web.middleware.owner_link import COOKIE_S, LINK_PATH, cookie_name, is_link_code, owners_cookie
from magpie.web.services import services

sign_in = Blueprint("sign_in", __name__)


@sign_in.get(LINK_PATH)
def let_owner_in() -> Response:
    """Redirects to the insights, with the cookie that opens them. Raises Forbidden for a link that is no good any more.

    The code is spent by GET alone: what only looks whether the address exists, asks by HEAD.
    """
    opened, code = services(), request.args.get("code", "")
    token = opened.access.owner_token()
    is_good = bool(token) and is_link_code(code, token)
    if not is_good or (request.method == "GET" and not opened.rate_limits.is_first_use(code)):
        raise Forbidden(
            "This link is none of this server's, was used before, or is older than an hour; "
            "`magpie token link` prints another."
        )
    answer = redirect(address_of("/insights"), 303)
    answer.cache_control.no_store = True
    if request.method == "GET":
        answer.set_cookie(
            cookie_name(token), owners_cookie(token), max_age=COOKIE_S, path=address_of("/"),
            httponly=True, samesite="Lax", secure=request.is_secure,
        )  # fmt: skip
    return answer
