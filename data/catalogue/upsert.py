"""Writes drafts into the catalogue, one transaction for each batch, and changes only rows that differ."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from magpie.data.catalogue.inferred_labels import drop_answered
from magpie.data.catalogue.items import ItemDraft, hash_content, version_of
from magpie.data.catalogue.kind_counts import count_kinds, given_attributes
from magpie.data.database.connection import Database
from magpie.data.database.tables import items, pictures, take_revisions
from magpie.data.pictures.local_files import PictureFile, PictureRoot

BATCH = 2_000
Outcome = Literal["inserted", "updated", "unchanged"]
_EMPTY: tuple[object, ...] = ("", [], None)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class UpsertCounts:
    """The numbers of drafts by outcome, and of pictures that are missing or broken."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    images_missing: int = 0
    images_broken: int = 0

    def __add__(self, other: "UpsertCounts") -> "UpsertCounts":
        return UpsertCounts(*(getattr(self, name) + getattr(other, name) for name in UpsertCounts.__dataclass_fields__))


@dataclass(frozen=True)
class PictureFault:
    """A picture that could not be used, with its item, the line in the feed and the reason."""

    item_id: str
    line: int
    path: str
    reason: str


@dataclass(frozen=True)
class UpsertWatch:
    """Callbacks of an upsert.

    `check` gets an item's id and its stored version (None for a new item) in the transaction that would change it; an
    error that it raises leaves the whole batch unwritten. `on_fault` gets each unusable picture, before the batch is
    written; `on_outcome` each draft with its outcome, after the batch is committed.
    """

    on_fault: Callable[[PictureFault], None] = lambda fault: None
    on_outcome: Callable[[ItemDraft, Outcome], None] = lambda draft, outcome: None
    check: Callable[[str, str | None], None] = lambda item_id, version: None


@dataclass(frozen=True)
class Row:
    """One draft with its content hash and pictures, ready to be written."""

    draft: ItemDraft
    content_hash: bytes
    files: tuple[PictureFile, ...]


@dataclass(frozen=True)
class _Stored:
    """The stored item with a draft's id."""

    id: int
    content_hash: bytes
    version: str


def upsert_batches(
    database: Database, drafts: Iterable[ItemDraft], root: PictureRoot, watch: UpsertWatch
) -> Iterator[UpsertCounts]:
    """Writes the drafts, without their empty attributes, and yields the counts of each committed batch.

    A yielded batch survives a power cut. Raises BadItem for a draft that cannot be stored, and what `watch.check`
    raises; the batches before it stay.
    """
    for batch in batches(drafts):
        # pictures are read before the transaction, so that other writers do not wait for the disk
        rows = _read_pictures(database, batch, root)
        counts = UpsertCounts()
        for row in rows:
            for file in row.files:
                if file.status != "ok":
                    watch.on_fault(PictureFault(row.draft.item_id, row.draft.line, file.path, file.reason))
                    counts += UpsertCounts(**{f"images_{file.status}": 1})
        with database.writing(durable=True) as connection:
            outcomes = write_rows(connection, rows, watch.check)
        for row in rows:
            watch.on_outcome(row.draft, outcomes[row.draft.item_id])
        yield counts + _count(outcomes)


class _OfAnItem(Protocol):
    @property
    def item_id(self) -> str: ...


OfAnItem = TypeVar("OfAnItem", bound=_OfAnItem)


def batches(drafts: Iterable[OfAnItem]) -> Iterator[list[OfAnItem]]:
    """Batches of at most BATCH drafts with distinct ids, so that a repeated item is compared with its earlier draft."""
    batch: dict[str, OfAnItem] = {}
    for draft in drafts:
        if len(batch) == BATCH or draft.item_id in batch:
            yield list(batch.values())
            batch = {}
        batch[draft.item_id] = draft
    if batch:
        yield list(batch.values())


def _read_pictures(database: Database, batch: list[ItemDraft], root: PictureRoot) -> list[Row]:
    root.fetch(given for draft in batch for given in draft.pictures)
    known = known_pictures(database, [draft.item_id for draft in batch if draft.pictures])
    rows = []
    for draft in batch:
        draft = without_empty(draft)
        files = {file.path: file for file in (root.look_up(given, known) for given in draft.pictures)}
        rows.append(Row(draft, hash_content(draft.canonical, hash_states(files.values())), tuple(files.values())))
    return rows


def without_empty(draft: ItemDraft) -> ItemDraft:
    """The draft without its empty attributes."""
    if all(draft.attributes.values()) or not any(value in _EMPTY for value in draft.attributes.values()):
        return draft
    return replace(draft, attributes={name: value for name, value in draft.attributes.items() if value not in _EMPTY})


def hash_states(files: Iterable[PictureFile]) -> list[str]:
    """The state of each picture file, as an item's content hash holds it."""
    return [f"{file.path}\0{file.content_hash}{file.status}" for file in files]


def known_pictures(database: Database, item_ids: list[str]) -> dict[str, PictureFile]:
    """The stored picture files of these items, by path."""
    columns = [pictures.c[field.name] for field in fields(PictureFile) if field.name != "reason"]
    with database.reading() as connection:
        joined = select(*columns).join(items, items.c.id == pictures.c.item).where(items.c.item_id.in_(item_ids))
        rows = connection.execute(joined).all() if item_ids else []
    return {row[0]: PictureFile(*row) for row in rows}


def write_rows(connection: Connection, rows: list[Row], check: Callable[[str, str | None], None]) -> dict[str, Outcome]:
    """What became of each row, by item id."""
    stored = _stored_items(connection, rows)
    for row in rows:
        before = stored.get(row.draft.item_id)
        check(row.draft.item_id, before.version if before else None)
    outcomes = {row.draft.item_id: _outcome(row, stored.get(row.draft.item_id)) for row in rows}
    fresh, changed, unchanged = (
        [row for row in rows if outcomes[row.draft.item_id] == outcome]
        for outcome in ("inserted", "updated", "unchanged")
    )
    if fresh or changed:
        replaced = given_attributes(connection, [stored[row.draft.item_id].id for row in changed])
        count_kinds(connection, [row.draft.attributes for row in fresh + changed], replaced)
        revision = take_revisions(connection, len(fresh) + len(changed))
        values = [_values(row, revision + n) for n, row in enumerate(fresh + changed)]
        if fresh:
            born = [value | {"created_at": value["updated_at"]} for value in values[: len(fresh)]]
            connection.execute(insert(items), born)
        if changed:
            _update(connection, values[len(fresh) :], stored)
            drop_answered(connection, {stored[row.draft.item_id].id: row.draft.attributes for row in changed})
    stored |= _stored_items(connection, [row for row in fresh if row.files])
    stale = changed + _with_new_times(connection, unchanged, stored)
    _write_pictures(connection, [row for row in fresh if row.files], stale, stored)
    return outcomes


def _outcome(row: Row, before: _Stored | None) -> Outcome:
    if before is None:
        return "inserted"
    return "unchanged" if before.content_hash == row.content_hash else "updated"


def _count(outcomes: Mapping[str, Outcome]) -> UpsertCounts:
    counted = Counter(outcomes.values())
    return UpsertCounts(counted["inserted"], counted["updated"], counted["unchanged"])


def _stored_items(connection: Connection, rows: list[Row]) -> dict[str, _Stored]:
    """The stored items of these rows, by item id."""
    if not rows:
        return {}
    columns = select(items.c.item_id, items.c.id, items.c.content_hash, items.c.revision, items.c.updated_at)
    chosen = columns.where(items.c.item_id.in_([row.draft.item_id for row in rows]))
    return {
        item_id: _Stored(id_, content_hash, version_of(revision, datetime.fromtimestamp(updated_at, UTC)))
        for item_id, id_, content_hash, revision, updated_at in connection.execute(chosen).all()
    }


def _values(row: Row, revision: int) -> dict[str, Any]:
    draft = row.draft
    return {
        "item_id": draft.item_id,
        "title": draft.title,
        "description": draft.description,
        "category": draft.category,
        "price": draft.price,
        "currency": draft.currency,
        "url": draft.url,
        "attributes": _COMPACT.encode(draft.attributes),
        "content_hash": row.content_hash,
        "revision": revision,
        "updated_at": time.time(),
    }


def _update(connection: Connection, values: list[dict[str, Any]], stored: dict[str, _Stored]) -> None:
    for value in values:
        value["known_id"] = stored[value.pop("item_id")].id
    columns: dict[str, Any] = {name: bindparam(name) for name in values[0] if name != "known_id"}
    connection.execute(update(items).where(items.c.id == bindparam("known_id")).values(columns), values)


def _with_new_times(connection: Connection, rows: list[Row], stored: dict[str, _Stored]) -> list[Row]:
    """The rows whose picture files have new times but the same bytes; storing the times saves reading them again."""
    by_id = {stored[row.draft.item_id].id: row for row in rows if row.files}
    if not by_id:
        return []
    times: dict[int, set[tuple[str, int]]] = {}
    chosen = select(pictures.c.item, pictures.c.path, pictures.c.mtime_ns).where(pictures.c.item.in_(list(by_id)))
    for item, path, mtime_ns in connection.execute(chosen).all():
        times.setdefault(item, set()).add((path, mtime_ns))
    return [row for item, row in by_id.items() if times.get(item) != {(f.path, f.mtime_ns) for f in row.files}]


def _write_pictures(connection: Connection, fresh: list[Row], stale: list[Row], stored: dict[str, _Stored]) -> None:
    if stale:
        ids = [stored[row.draft.item_id].id for row in stale]
        connection.execute(delete(pictures).where(pictures.c.item.in_(ids)))
    values = [
        {
            "item": stored[row.draft.item_id].id,
            "position": position,
            "path": file.path,
            "size_bytes": file.size_bytes,
            "mtime_ns": file.mtime_ns,
            "content_hash": file.content_hash,
            "width": file.width,
            "height": file.height,
            "status": file.status,
        }
        for row in fresh + stale
        for position, file in enumerate(row.files, 1)
    ]
    if values:
        connection.execute(insert(pictures), values)
