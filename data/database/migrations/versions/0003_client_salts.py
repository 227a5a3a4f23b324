"""Salts for the pseudonyms of clients, with which those in the log are replaced; events found by their session."""

import secrets
from hashlib import blake2b

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SPAN_MS = 30 * 86_400_000
BATCH = 5_000


def upgrade() -> None:
    op.create_table(
        "client_salts",
        sa.Column("span", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("span"),
    )
    op.create_index(op.f("ix_events_session_id"), "events", ["session_id"], unique=False)
    salts: dict[int, bytes] = {}
    for table in ("queries", "events"):
        _hash_clients(op.get_bind(), table, salts)
    for span, salt in salts.items():
        op.get_bind().execute(
            sa.text("INSERT INTO client_salts (span, salt) VALUES (:span, :salt)"), {"span": span, "salt": salt}
        )


def _hash_clients(connection: sa.Connection, table: str, salts: dict[int, bytes]) -> None:
    last = 0
    page = sa.text(
        f"SELECT id, client_id, timestamp FROM {table} WHERE id > :last AND client_id <> '' ORDER BY id LIMIT {BATCH}"
    )
    while rows := connection.execute(page, {"last": last}).all():
        changed = []
        for id_, client_id, timestamp in rows:
            salt = salts.setdefault(timestamp // SPAN_MS, secrets.token_bytes(32))
            name = "~" + blake2b(client_id.encode(), key=salt, digest_size=16).hexdigest()
            changed.append({"id": id_, "name": name})
        connection.execute(sa.text(f"UPDATE {table} SET client_id = :name WHERE id = :id"), changed)
        last = rows[-1][0]
