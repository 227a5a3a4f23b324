"""Changes parts of stored items: each is read, merged with what is sent, and written, within one transaction."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from magpie.data.catalogue.items import ItemDraft, Value, hash_content, version_of
from magpie.data.catalogue.upsert import (
    Outcome,
    PictureFault,
    Row,
    UpsertWatch,
    batches,
    hash_states,
    known_pictures,
    without_empty,
    write_rows,
)
from magpie.data.database.connection import Database
from magpie.data.database.tables import items, pictures
from magpie.data.errors import BadItem, ItemNotFound
from magpie.data.pictures.local_files import PictureFile, PictureRoot

_FIELDS = ("title", "description", "category", "price", "currency", "url")
_AT_ONCE = 500  # ids in one statement
_NOTHING: UpsertWatch = UpsertWatch()


@dataclass(frozen=True)
class ItemPatch:
    """What changes of one item (JSON merge patch, RFC 7396): `fields` by name, and `attributes`, None taking one out.

    Where `empties_attributes`, no attribute stays; `pictures` replace those there are, None keeps them. `line` is where
    it was sent, 0 for a patch alone.
    """

    item_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Value | None] = field(default_factory=dict)
    empties_attributes: bool = False
    pictures: tuple[str, ...] | None = None
    line: int = 0

    def apply(self, draft: ItemDraft) -> ItemDraft:
        """The draft with these changes; attributes that became empty are left out."""
        kept = {} if self.empties_attributes else draft.attributes
        merged: dict[str, Any] = {**kept, **self.attributes}
        return without_empty(replace(draft, **self.fields, attributes=merged, line=self.line))


@dataclass(frozen=True)
class _Stored:
    """An item as it is stored: as a draft with raw attributes, its version, and its picture files."""

    draft: ItemDraft
    version: str
    files: tuple[PictureFile, ...]


def patch_items(
    database: Database,
    patches: Iterable[ItemPatch],
    root: PictureRoot,
    watch: UpsertWatch,
    on_rejected: Callable[[ItemPatch, ItemNotFound | BadItem], None],
) -> None:
    """Changes the items that there are, one transaction for each batch; what was written survives a power cut.

    `on_rejected` gets each patch of an unknown item, or one that would leave what cannot be stored; an error that it or
    `watch.check` raises leaves the whole batch unwritten.
    """
    for batch in batches(patches):
        # pictures are read before the transaction, so that other writers do not wait for the disk
        new_files = _read_new_pictures(database, batch, root, watch)
        outcomes: list[tuple[ItemDraft, Outcome]] = []
        with database.writing(durable=True) as connection:
            stored = _read_stored(connection, [patch.item_id for patch in batch])
            rows: list[Row] = []
            for patch in batch:
                before = stored.get(patch.item_id)
                watch.check(patch.item_id, before.version if before else None)
                try:
                    row = _changed_row(patch, before, new_files.get(patch.item_id))
                except (ItemNotFound, BadItem) as error:
                    on_rejected(patch, error)
                    continue
                is_same = before is not None and _is_same(row, before)
                outcomes.append((row.draft, "unchanged" if is_same else "updated"))
                if not is_same:
                    rows.append(row)
            write_rows(connection, rows, _NOTHING.check)
        for draft, outcome in outcomes:
            watch.on_outcome(draft, outcome)


def _read_new_pictures(
    database: Database, batch: Sequence[ItemPatch], root: PictureRoot, watch: UpsertWatch
) -> dict[str, tuple[PictureFile, ...]]:
    """The picture files that patches name, by item id; faults are told to the watch."""
    given = {patch.item_id: patch.pictures for patch in batch if patch.pictures is not None}
    root.fetch(one for paths in given.values() for one in paths)
    known = known_pictures(database, [item_id for item_id, paths in given.items() if paths])
    lines = {patch.item_id: patch.line for patch in batch}
    found: dict[str, tuple[PictureFile, ...]] = {}
    for item_id, paths in given.items():
        files = {file.path: file for file in (root.look_up(path, known) for path in paths)}
        found[item_id] = tuple(files.values())
        for file in files.values():
            if file.status != "ok":
                watch.on_fault(PictureFault(item_id, lines[item_id], file.path, file.reason))
    return found


def _changed_row(patch: ItemPatch, before: _Stored | None, new_files: tuple[PictureFile, ...] | None) -> Row:
    """The row to write. Raises ItemNotFound, BadItem."""
    if before is None:
        raise ItemNotFound(f"no item {patch.item_id!r} in the catalogue")
    files = before.files if new_files is None else new_files
    draft = replace(patch.apply(before.draft), pictures=tuple(file.path for file in files))
    return Row(draft, hash_content(draft.canonical, hash_states(files)), files)


def _is_same(row: Row, before: _Stored) -> bool:
    # as JSON, because Python takes True for 1
    return row.files == before.files and row.draft.canonical == before.draft.canonical


def _read_stored(connection: Connection, item_ids: Sequence[str]) -> dict[str, _Stored]:
    """The items of these ids, by id; unknown ones are left out."""
    found: dict[str, _Stored] = {}
    columns = select(items.c.id, items.c.item_id, items.c.attributes, items.c.revision, items.c.updated_at)
    columns = columns.add_columns(*(items.c[name] for name in _FIELDS))
    for start in range(0, len(item_ids), _AT_ONCE):
        rows = connection.execute(columns.where(items.c.item_id.in_(item_ids[start : start + _AT_ONCE]))).all()
        files = _read_files(connection, [row.id for row in rows])
        for row in rows:
            shown = tuple(files.get(row.id, ()))
            known = {name: getattr(row, name) for name in _FIELDS}
            paths = tuple(file.path for file in shown)
            draft = ItemDraft(row.item_id, **known, attributes=json.loads(row.attributes), pictures=paths)
            version = version_of(row.revision, datetime.fromtimestamp(row.updated_at, UTC))
            found[row.item_id] = _Stored(draft, version, shown)
    return found


def _read_files(connection: Connection, ids: Sequence[int]) -> dict[int, list[PictureFile]]:
    columns = [pictures.c[one.name] for one in fields(PictureFile) if one.name != "reason"]
    chosen = select(pictures.c.item, *columns).where(pictures.c.item.in_(ids))
    found: dict[int, list[PictureFile]] = {}
    for item, *file in connection.execute(chosen.order_by(pictures.c.item, pictures.c.position)):
        found.setdefault(item, []).append(PictureFile(*file))
    return found
