"""Bearer tokens, hashed, and the keys that this installation signs with."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0005_tokens_and_keys"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    signing_keys = op.create_table(
        "signing_keys",
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("purpose"),
    )
    op.bulk_insert(signing_keys, [{"purpose": "query ids", "key": secrets.token_bytes(32)}])
