"""API tokens: made, revoked, and looked up for a request; only their SHA-256 digests are stored."""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import delete, insert, select

from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.database.tables import tokens
from magpie.data.errors import BadInput, Conflict, NotFound

READ, EVENTS, WRITE, ADMIN = "read", "events", "write", "admin"
SCOPES = (READ, EVENTS, WRITE, ADMIN)
PREFIX = "magpie_"  # so that people and scanners of leaked secrets know one when they see it
_RANDOM_BYTES = 32  # nobody guesses them, so a fast hash without salt is enough
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Bearer:
    """The holder of a token: its name, its scopes, and when it was made (milliseconds since 1970)."""

    name: str
    scopes: tuple[str, ...]
    created_at: int = 0

    def may(self, scope: str) -> bool:
        """Whether the token has this scope; `admin` includes all."""
        return scope in self.scopes or ADMIN in self.scopes


@dataclass(frozen=True)
class KnownToken:
    """A stored token."""

    digest: bytes
    bearer: Bearer


def digest_of(token: str) -> bytes:
    """The SHA-256 digest of a token, 32 bytes."""
    return sha256(token.encode()).digest()


def new_token() -> str:
    """A random token, 256 bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def create_token(database: Database, name: str, scopes: Sequence[str]) -> str:
    """A new token, which is never shown again. Raises BadInput for a bad name or scope, Conflict for a known name."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name for a token; use up to 64 letters, digits, dots, dashes and underscores")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadInput(f"{', '.join(unknown) or 'no scope'}: give one or more of {', '.join(SCOPES)}")
    token = new_token()
    kept = " ".join(scope for scope in SCOPES if scope in scopes)
    with database.writing(durable=True) as connection:
        if connection.execute(select(tokens.c.name).where(tokens.c.name == name)).first():
            raise Conflict(f"There is a token {name!r} already; revoke it first, or choose another name")
        values = {"name": name, "digest": digest_of(token), "scopes": kept, "created_at": now_ms()}
        connection.execute(insert(tokens).values(values))
    return token


def revoke_token(database: Database, name: str) -> None:
    """Deletes a token. Raises NotFound."""
    with database.writing(durable=True) as connection:
        if not connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount:
            raise NotFound(f"There is no token {name!r}; `magpie token list` shows those there are")


def read_tokens(database: Database) -> list[KnownToken]:
    """All stored tokens, by name."""
    with database.reading() as connection:
        rows = connection.execute(select(tokens).order_by(tokens.c.name)).all()
    return [KnownToken(row.digest, Bearer(row.name, tuple(row.scopes.split()), row.created_at)) for row in rows]


def bearer_of(known: Sequence[KnownToken], token: str) -> Bearer | None:
    """The holder of this token, or None; digests are compared in constant time."""
    given, found = digest_of(token), None
    for one in known:
        if hmac.compare_digest(one.digest, given):
            found = one.bearer
    return found
