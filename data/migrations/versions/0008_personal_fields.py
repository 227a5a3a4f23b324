"""Fields of the log that tell from where or with which browser somebody came: dropped, as they are from new records."""

import json

import sqlalchemy as sa
from alembic import op

from data.errors import BadEvent
from data.personal_fields import without_personal_fields

revision = "0008_personal_fields"
down_revision = "0007_items_since"
branch_labels = None
depends_on = None

BATCH = 5_000


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.get_bind().exec_driver_sql("PRAGMA secure_delete=ON")
    for table, columns in (("queries", ("query_attributes", "extra")), ("events", ("event_attributes", "extra"))):
        for column in columns:
            _clean(op.get_bind(), table, column)


def _clean(connection: sa.Connection, table: str, column: str) -> None:
    last = 0
    page = sa.text(
        f"SELECT id, {column} FROM {table} WHERE id > :last AND {column} <> '{{}}' ORDER BY id LIMIT {BATCH}"
    )
    while rows := connection.execute(page, {"last": last}).all():
        changed = []
        for id_, text in rows:
            kept = _cleaned(text)
            if kept != text:
                changed.append({"id": id_, "kept": kept})
        if changed:
            connection.execute(sa.text(f"UPDATE {table} SET {column} = :kept WHERE id = :id"), changed)
        last = rows[-1][0]


def _cleaned(text: str) -> str:
    try:
        fields, _ = without_personal_fields(json.loads(text))
    except BadEvent:  # nested deeper than anything is taken today: nobody can tell what it holds
        fields = {}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
