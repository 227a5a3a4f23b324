"""The owner's way in with a browser: a link that opens once, and the cookie that it is exchanged for.

Both are signed with the owner's token, which neither holds: who deletes its file ends all of them.
"""

import hashlib
import secrets
from urllib.parse import urlencode

from itsdangerous import BadSignature, TimestampSigner

LINK_PATH = "/owner"
LINK_S = 3_600
COOKIE_S = 30 * 86_400


def owner_link(base_url: str, token: str) -> str:
    """A link below the address of the search page (with its slash at the end), good once and for an hour."""
    code = _signer(token, "link").sign(secrets.token_urlsafe(9)).decode()
    return f"{base_url.rstrip('/')}{LINK_PATH}?{urlencode({'code': code})}"


def is_link_code(code: str, token: str) -> bool:
    """Whether this token signed the code of a link within the last hour; not whether it was used."""
    return _is_signed(_signer(token, "link"), code, LINK_S)


def owners_cookie(token: str) -> str:
    """What the owner's browser is to show, for 30 days."""
    return _signer(token, "cookie").sign("owner").decode()


def is_owners_cookie(given: str, token: str) -> bool:
    """Whether this is a cookie that was made with this token, within 30 days."""
    return _is_signed(_signer(token, "cookie"), given, COOKIE_S)


def cookie_name(token: str) -> str:
    """The cookie's name, another for each home: browsers keep one jar for all ports of a host."""
    return f"magpie_owner_{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def _signer(token: str, purpose: str) -> TimestampSigner:
    return TimestampSigner(token, salt=f"magpie owner {purpose}", digest_method=hashlib.sha256)


def _is_signed(signer: TimestampSigner, given: str, max_age_s: int) -> bool:
    try:
        signer.unsign(given, max_age=max_age_s)
    except BadSignature:
        return False
    return True
