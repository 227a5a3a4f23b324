"""Counts, with every write, how many items hold a value of which kind in each attribute; kinds follow from that."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from magpie.data.catalogue.attribute_types import Kind, kind_of, kind_of_column
from magpie.data.catalogue.items import Value
from magpie.data.database.connection import Fetch
from magpie.data.database.tables import attribute_kinds, items

# as text once and for all: every search reads it, and building the statement would take longer than running it
_COUNTS_SQL = str(select(attribute_kinds.c.name, attribute_kinds.c.kind, attribute_kinds.c.num_items))
_AT_ONCE = 500  # names or numbers in one statement


def load_counts(fetch: Fetch) -> dict[str, dict[Kind, int]]:
    """By attribute how many items hold a value of each kind."""
    counts: dict[str, dict[Kind, int]] = {}
    for name, kind, num_items in fetch(_COUNTS_SQL):
        counts.setdefault(name, {})[kind] = num_items
    return counts


def load_kinds(fetch: Fetch) -> dict[str, Kind]:
    """The kind of every attribute that an item has now."""
    return {name: kind_of_column(counts) for name, counts in load_counts(fetch).items()}


def given_attributes(connection: Connection, ids: list[int]) -> list[dict[str, Value]]:
    """The stored attributes of these items (`items.id`), as they came."""
    found: list[dict[str, Value]] = []
    for start in range(0, len(ids), _AT_ONCE):
        chosen = select(items.c.attributes).where(items.c.id.in_(ids[start : start + _AT_ONCE]))
        found += [json.loads(text) for text in connection.execute(chosen).scalars()]
    return found


def count_kinds(
    connection: Connection, added: Iterable[Mapping[str, Value]], removed: Iterable[Mapping[str, Value]]
) -> None:
    """Counts the attributes of items that come and no longer those of items that go, in the transaction of both."""
    change: Counter[tuple[str, Kind]] = Counter()
    for sign, attributes in [(1, one) for one in added] + [(-1, one) for one in removed]:
        for name, value in attributes.items():
            change[name, kind_of(value)] += sign
    names = sorted({name for (name, _), number in change.items() if number})
    for start in range(0, len(names), _AT_ONCE):
        _write(connection, names[start : start + _AT_ONCE], change)


def _write(connection: Connection, names: list[str], change: Counter[tuple[str, Kind]]) -> None:
    chosen = attribute_kinds.c.name.in_(names)
    counts: Counter[tuple[str, Kind]] = Counter()
    for name, kind, num_items in connection.execute(select(attribute_kinds).where(chosen)):
        counts[name, kind] = num_items
    wanted = set(names)
    counts.update({key: number for key, number in change.items() if key[0] in wanted})
    connection.execute(delete(attribute_kinds).where(chosen))
    rows = [{"name": name, "kind": kind, "num_items": n} for (name, kind), n in sorted(counts.items()) if n > 0]
    if rows:
        connection.execute(insert(attribute_kinds), rows)
