"""Since when each item is in the catalogue, so that new ones can be told; of those there, since their last change."""

import sqlalchemy as sa
from alembic import op

revision = "0007_items_since"
down_revision = "0006_searches_by_session"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("created_at", sa.Float(), nullable=True))
    op.execute("UPDATE items SET created_at = updated_at")
