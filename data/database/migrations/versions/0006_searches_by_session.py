"""A visit's searches are found by its name, so that it is told what is stored without reading the whole log."""

from alembic import op

revision = "0006_searches_by_session"
down_revision = "0005_tokens_and_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_queries_session_id", "queries", ["session_id"])
