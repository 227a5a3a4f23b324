"""Searches and events keep, as keyed hashes, where they came from; what was stored before counts as vouched for."""

import sqlalchemy as sa
from alembic import op

revision = "0010_origins"
down_revision = "0009_kind_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("queries", "events"):
        for column in ("address", "block"):
            op.add_column(table, sa.Column(column, sa.String(32), nullable=False, server_default=""))
        op.add_column(table, sa.Column("is_proved", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_table(
        "blocked_phrases",
        sa.Column("phrase", sa.String(200), primary_key=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
