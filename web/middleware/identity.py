"""Who is asking? The one place that decides whose choices a request may be answered by.

`client_id` and `session_id` are names that anybody can say. They are proved by a token of scope `events`, whose bearer
speaks for its clients; by an id that POST /api/clients signed; or, for a session, by the page's signed cookie.
"""

import hashlib
import secrets
from dataclasses import dataclass

from flask import request
from itsdangerous import BadSignature, TimestampSigner

from magpie.data.database.api_tokens import EVENTS
from magpie.data.events.origin import VOUCHED, Origin, origin_of
from magpie.data.events.pseudonyms import SPAN_DAYS, SPANS_KEPT
from magpie.web.middleware.access import Access

VISIT_COOKIE = "magpie_session"
SIGNED_S = SPANS_KEPT * SPAN_DAYS * 86_400  # as long as the log can tell that two records are of one client


@dataclass(frozen=True)
class Asker:
    """The names that the log keeps, those of them that are proved, each "" where there is none, and where they came
    from."""

    client_id: str = ""
    session_id: str = ""
    known_client: str = ""
    known_session: str = ""
    origin: Origin = VOUCHED


NOBODY = Asker()


class Identities:
    """Signs names and finds out who asks. Safe to share among threads."""

    def __init__(self, access: Access, key: bytes) -> None:
        self._access = access
        self._clients = TimestampSigner(key, salt="magpie client", digest_method=hashlib.sha256)
        self._visits = TimestampSigner(key, salt="magpie visit", digest_method=hashlib.sha256)

    def asker(self, client_id: str, session_id: str) -> Asker:
        """Who sends the current request, by the names that it says."""
        if self.is_vouched_for():
            return Asker(client_id, session_id, client_id, session_id)
        known_client = _name_in(self._clients, client_id)
        known_session = session_id if session_id and session_id == self.visit() else ""
        is_proved = bool(known_client if client_id else known_session)
        origin = origin_of(request.remote_addr or "", is_proved)
        return Asker(known_client or client_id, session_id, known_client, known_session, origin)

    def is_vouched_for(self) -> bool:
        """Whether the current request has a token whose bearer speaks for its clients."""
        bearer = self._access.bearer()
        return bearer is not None and bearer.may(EVENTS)

    def visit(self) -> str:
        """The session that the page's signed cookie names, "" without one."""
        return _name_in(self._visits, request.cookies.get(VISIT_COOKIE, ""))

    def new_visit(self) -> str:
        """A signed name for a session, which the page's script makes a cookie of with the first click."""
        return self._visits.sign(secrets.token_hex(16)).decode()

    def sign_client(self, client_id: str) -> str:
        """The client's id, signed for 180 days: whoever has it is that client."""
        return self._clients.sign(client_id).decode()


def _name_in(signer: TimestampSigner, signed: str) -> str:
    """The name that this signer signed, "" where it did not or where that is long ago."""
    if "." not in signed:
        return ""
    try:
        return signer.unsign(signed, max_age=SIGNED_S).decode()
    except (BadSignature, UnicodeError):
        return ""
