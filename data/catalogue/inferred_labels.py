"""Stores attribute values that Magpie inferred, apart from given ones, which take precedence."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from magpie.data.catalogue.items import Label
from magpie.data.database.connection import Database, Fetch, fetch_all
from magpie.data.database.tables import items, labels, take_revisions

_ROWS_PER_STATEMENT = 5_000  # backends limit the parameters of one statement


_LABELS_SQL = str(select(labels.c.item, labels.c.name, labels.c.value, labels.c.confidence))


def read_labels(fetch: Fetch, ids: Sequence[int]) -> dict[int, dict[str, Label]]:
    """The inferred labels of these items, by `items.id` and attribute; items without any are left out."""
    found: dict[int, dict[str, Label]] = {}
    for start in range(0, len(ids), _ROWS_PER_STATEMENT):
        numbers = ",".join(str(int(id_)) for id_ in ids[start : start + _ROWS_PER_STATEMENT])
        for item, name, value, confidence in fetch(f"{_LABELS_SQL} WHERE labels.item IN ({numbers})"):
            found.setdefault(item, {})[name] = Label(value, confidence)
    return found


def count_labels(database: Database) -> dict[str, int]:
    """The number of items with an inferred value, by attribute."""
    with database.reading() as connection:
        counted = select(labels.c.name, func.count()).group_by(labels.c.name).order_by(labels.c.name)
        return {row[0]: row[1] for row in connection.execute(counted)}


def replace_labels(database: Database, field: str, found: Mapping[int, Label]) -> int:
    """The number of labels that the attribute `field` had before `found` (by `items.id`) replaced them all.

    Items that gain, lose or change a label get a new revision, so that a running server and the next index see it.
    Deleted items are left out.
    """
    with database.writing() as connection:
        known = select(labels.c.item, labels.c.value, labels.c.confidence).where(labels.c.name == field)
        before = {item: Label(value, confidence) for item, value, confidence in connection.execute(known)}
        changed = sorted(item for item in before.keys() | found.keys() if before.get(item) != found.get(item))
        living = set(_living(connection, changed))
        connection.execute(delete(labels).where(labels.c.name == field))
        rows: list[dict[str, Any]] = [
            {"item": item, "name": field, "value": label.value, "confidence": label.confidence}
            for item, label in found.items()
            if item in living or before.get(item) == label
        ]
        if rows:
            connection.execute(insert(labels), rows)
        _count_as_changed(connection, sorted(living))
    return len(before)


def drop_answered(connection: Connection, given: Mapping[int, Mapping[str, object]]) -> None:
    """Deletes labels of attributes for which these items (by `items.id`) now have a given value."""
    for item, by_name in read_labels(partial(fetch_all, connection), list(given)).items():
        answered = [name for name in by_name if name in given[item]]
        if answered:
            connection.execute(delete(labels).where(labels.c.item == item, labels.c.name.in_(answered)))


def _living(connection: Connection, ids: Sequence[int]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(ids), _ROWS_PER_STATEMENT):
        chosen = items.c.id.in_(ids[start : start + _ROWS_PER_STATEMENT])
        found += connection.execute(select(items.c.id).where(chosen)).scalars()
    return found


def _count_as_changed(connection: Connection, ids: Sequence[int]) -> None:
    if not ids:
        return
    first = take_revisions(connection, len(ids))
    values = [{"known_id": id_, "fresh": first + n} for n, id_ in enumerate(ids)]
    chosen = update(items).where(items.c.id == bindparam("known_id"))
    connection.execute(chosen.values(revision=bindparam("fresh")), values)
