"""Fields of the log that tell from where or with which browser somebody came: dropped, as they are from new records.

The rules stand here as they were when this migration was written: what new records lose may change, this may not.
"""

import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008_personal_fields"
down_revision = "0007_items_since"
branch_labels = None
depends_on = None

BATCH = 5_000
DEEPEST = 100
# names in small letters, without what is no letter or digit
PERSONAL = re.compile(
    r"ip(v[46]|addr(ess)?)?|(client|remote|user|visitor|x?real|trueclient|cfconnecting)ip|(client|remote)addr(ess)?"
    r"|remotehost|x?forwarded(for)?|(http|browser|x)?useragent(string)?|ua(string)?"
)


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
        fields = _without_personal(json.loads(text), 0)
    except RecursionError:  # nested deeper than anything was taken: nobody can tell what it holds
        fields = {}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _without_personal(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, list):
        return [_without_personal(one, depth + 1) if isinstance(one, dict | list) else one for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_personal(inner, depth + 1) if isinstance(inner, dict | list) else inner
        for name, inner in value.items()
        if not PERSONAL.fullmatch(re.sub(r"[^a-z0-9]", "", str(name).lower()))
    }
