"""How many items hold a value of each kind in each attribute, so that one odd value does not decide for all.

The kinds of values stand here as they were when this migration was written.
"""

import json
import re
from collections import Counter
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009_kind_counts"
down_revision = "0008_personal_fields"
branch_labels = None
depends_on = None

BATCH = 5_000
GREATEST = 1.7976931348623157e308
NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?( ?(Z|[+-]\d\d:?\d\d))?)?", re.ASCII)
LIST = re.compile(r"[^\s|]([^|]{0,62}[^\s|])?(\|[^\s|]([^|]{0,62}[^\s|])?){1,49}")


def upgrade() -> None:
    op.drop_table("attribute_kinds")
    table = op.create_table(
        "attribute_kinds",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("num_items", sa.BigInteger(), nullable=False),
    )
    counts = _count(op.get_bind())
    rows = [{"name": name, "kind": kind, "num_items": number} for (name, kind), number in sorted(counts.items())]
    if rows:
        op.bulk_insert(table, rows)


def _count(connection: sa.Connection) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    page = sa.text(f"SELECT id, attributes FROM items WHERE id > :last ORDER BY id LIMIT {BATCH}")
    last = 0
    while found := connection.execute(page, {"last": last}).all():
        for _, text in found:
            counts.update((name, _kind(value)) for name, value in json.loads(text).items())
        last = found[-1][0]
    return counts


def _kind(value: Any) -> str:
    if not isinstance(value, str):
        if isinstance(value, list):
            return "list"
        return "boolean" if isinstance(value, bool) else "number" if abs(value) <= GREATEST else "text"
    if len(value) > 1_000:
        return "text"
    if NUMBER.fullmatch(value):
        return "number"
    if value.lower() in ("true", "yes", "false", "no"):
        return "boolean"
    if DATE.fullmatch(value) and _is_date(value):
        return "date"
    return "list" if LIST.fullmatch(value) else "text"


def _is_date(value: str) -> bool:
    try:
        if len(value) == len("2026-01-31"):
            date.fromisoformat(value)
        else:
            datetime.fromisoformat(value[:10] + "T" + value[11:].replace(" ", ""))
    except ValueError:
        return False
    return True
