"""Finds the rows of a table that belong to one item: by a group's name, a parent, a list of variants, an equal id."""

from array import array
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from magpie.data.feeds.column_plan import Plan
from magpie.data.feeds.row_parts import PartReader
from magpie.data.feeds.table import Row, Table

_SKU_IN_LIST = "sku="


class Group(NamedTuple):
    """The rows of one item, its own row first; `name` is what names the group, "" where only their ids are equal."""

    rows: list[Row]
    name: str = ""
    is_continued: bool = False  # rows after the first continue it, rather than repeat it


def group_rows(table: Table, plan: Plan, reader: PartReader) -> Iterator[Group]:
    """The rows of the table as groups, in order of their first rows. Rows that cannot be read stand alone.

    Memory: eight bytes a row, and a hash of each id.
    """
    heads, names = _find_heads(table, plan, reader)
    own = np.arange(len(table))
    if np.array_equal(heads, own):
        for n, row in enumerate(table.rows()):
            yield Group([row], names.get(n, ""))
        return
    # a parent may come after its variants: its group stands where the first of its rows does
    firsts = np.full(len(table), len(table), dtype=np.int64)
    np.minimum.at(firsts, heads, own)
    order = np.lexsort((own, own != heads, firsts[heads]))
    places = order.tolist()
    rows = table.rows(None if np.array_equal(order, own) else places)
    for head, pairs in groupby(zip(places, rows, strict=True), key=lambda pair: int(heads[pair[0]])):
        yield Group([row for _, row in pairs], names.get(head, ""), bool(plan.continued_by))


def _find_heads(table: Table, plan: Plan, reader: PartReader) -> tuple[np.ndarray, dict[int, str]]:
    """(for each row the number of its item's own row, names of groups by that number)."""
    heads = array("q", range(len(table)))
    first: dict[int, int] = {}
    parents: list[tuple[int, str]] = []
    names: dict[int, str] = {}
    children: dict[int, int] = {}
    also = plan.first("also_known_as")
    group, parent, lists = plan.first("group"), plan.first("parent"), plan.first("children")
    above = -1
    if group is None and parent is None and lists is None and also is None and not plan.continued_by:
        for n, row in enumerate(table.rows()):
            if not row.fault and (item_id := reader.id_of(row)):
                heads[n] = first.setdefault(hash(item_id), n)
        return np.frombuffer(heads, dtype=np.int64) if len(heads) else np.empty(0, dtype=np.int64), names
    for n, row in enumerate(table.rows()):
        if row.fault:
            continue
        item_id = reader.id_of(row)
        if above >= 0 and plan.continued_by and (reader.continues(row) or not item_id):
            heads[n] = above
            continue
        above = n
        named = _cell(row, group)
        if named:
            heads[n] = first.setdefault(hash(("group", named)), n)
            names[heads[n]] = named
            continue
        if item_id:
            heads[n] = first.setdefault(hash(("id", item_id)), n)
        if (known := _cell(row, also)) and known != item_id:
            first.setdefault(hash(("also", known)), n)
        if referred := _cell(row, parent):
            parents.append((n, referred))
        if listed := _cell(row, lists):
            for part in listed.replace("|", ",").split(","):
                if part.strip().startswith(_SKU_IN_LIST):
                    children[hash(("id", part.strip().removeprefix(_SKU_IN_LIST)))] = n
    for n, referred in parents:
        found = _referred(first, referred)
        if found is not None and found != n and heads[found] != n:
            heads[n] = heads[found]
    for key, above in children.items():
        if (found := first.get(key)) is not None and found != above:
            heads[found] = above
    return _roots(np.frombuffer(heads, dtype=np.int64) if len(heads) else np.empty(0, dtype=np.int64)), names


def _roots(heads: np.ndarray) -> np.ndarray:
    """Each row's head, followed to its end; at most twenty steps, so that rings end too."""
    for _ in range(20):
        following = heads[heads] if len(heads) else heads
        if np.array_equal(following, heads):
            break
        heads = following
    return heads


def _referred(first: dict[int, int], referred: str) -> int | None:
    """The row that a parent's cell names: "id:21", an id, or a code that another column holds."""
    plain = referred.removeprefix("id:")
    for kind in ("also", "id") if plain == referred else ("id",):
        found = first.get(hash((kind, plain)))
        if found is not None:
            return found
    return None


def _cell(row: Row, n: int | None) -> str:
    if n is None or n >= len(row.values):
        return ""
    value = row.values[n]
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else str(value).strip()
