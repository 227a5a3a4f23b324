"""Stores the items: imports upsert into the catalogue, the index is built from it, hits are read from it."""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select

from magpie.data.catalogue.attribute_types import Kind, num_odd, typed_attributes
from magpie.data.catalogue.inferred_labels import read_labels
from magpie.data.catalogue.items import Item, ItemDraft, Label, Picture, Value, version_of
from magpie.data.catalogue.kind_counts import count_kinds, given_attributes, load_counts, load_kinds
from magpie.data.catalogue.listing import MAX_GONE, Cursor
from magpie.data.catalogue.patch import ItemPatch, patch_items
from magpie.data.catalogue.upsert import PictureFault, UpsertCounts, UpsertWatch, upsert_batches
from magpie.data.database.connection import Database, Fetch, fetch_all
from magpie.data.database.tables import counters, deletions, items, pictures, take_revisions
from magpie.data.errors import BadItem, ItemNotFound, NotTogether
from magpie.data.pictures.local_files import FetchAll, PictureRoot, refuse_addresses
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.settings import Settings

__all__ = [
    "Catalogue",
    "Changes",
    "Item",
    "ItemDraft",
    "Kind",
    "Picture",
    "PictureFault",
    "UpsertCounts",
    "UpsertWatch",
    "Value",
]

_STATES_PER_SELECT = 50_000
IDS_PER_SELECT = 5_000  # backends limit the parameters of one statement
_NOBODY = UpsertWatch()


@dataclass(frozen=True)
class Changes:
    """The changes after a revision: items changed up to `revision`, oldest first, and every item deleted since.

    `latest` is the catalogue's revision when this was read; it is larger where more items changed than the limit.
    """

    items: list[Item]
    deleted_ids: list[int]
    revision: int
    latest: int


@dataclass(frozen=True)
class CatalogueState:
    """The identity of a state of the catalogue.

    The revision grows with every change; a restored backup may have the same revision with other items, but then has
    another digest.
    """

    revision: int
    digest: str


class Catalogue:
    """All items, by `id` (the number that indexes use) and by `item_id` (the owner's). Safe to share among threads."""

    def __init__(self, database: Database, settings: Settings, decoder: PictureSandbox | None = None) -> None:
        self.database = database
        self.settings = settings
        self._decoder = decoder  # decodes doubtful pictures; without one, each upsert starts its own

    def upsert(self, drafts: Iterable[ItemDraft], picture_root: Path, watch: UpsertWatch = _NOBODY) -> UpsertCounts:
        """The numbers of items inserted, updated and unchanged, and of pictures that could not be used.

        Picture paths are relative to `picture_root` and may not leave it. Every batch is one transaction: what was
        written before an error or an interruption stays. Raises BadItem for a draft that cannot be stored, and what
        `watch.check` raises.
        """
        return sum(self.upserting(drafts, picture_root, watch), UpsertCounts())

    def upserting(
        self, drafts: Iterable[ItemDraft], picture_root: Path, watch: UpsertWatch = _NOBODY
    ) -> Iterator[UpsertCounts]:
        """Yields the counts of each batch once it is committed, for progress; otherwise as `upsert`."""
        with self._picture_root(picture_root) as root:
            yield from upsert_batches(self.database, drafts, root, watch)

    def patch(
        self,
        patches: Iterable[ItemPatch],
        picture_root: Path,
        watch: UpsertWatch,
        on_rejected: Callable[[ItemPatch, ItemNotFound | BadItem], None],
    ) -> None:
        """Changes parts of items as `patch_items` says, with the settings' picture hosts."""
        with self._picture_root(picture_root) as root:
            patch_items(self.database, patches, root, watch, on_rejected)

    @contextmanager
    def _picture_root(self, folder: Path) -> Iterator[PictureRoot]:
        decoder = self._decoder or PictureSandbox()
        fetch: FetchAll = refuse_addresses
        if self.settings.picture_hosts:
            from magpie.data.pictures.download import PictureFetcher  # brings urllib3, which few catalogues need

            fetch = PictureFetcher.of(self.settings, decoder).fetch_all
        try:
            yield PictureRoot(folder, self.settings.max_picture_pixels, decoder, fetch)
        finally:
            if decoder is not self._decoder:
                decoder.close()

    def get(self, item_id: str) -> Item:
        """The item of this `item_id`. Raises ItemNotFound."""
        with self.database.reading() as connection:
            found = _read_items(connection, _ITEMS.where(items.c.item_id == item_id))
        if not found:
            raise ItemNotFound(f"no item {item_id!r} in the catalogue")
        return found[0]

    def get_many(self, ids: Sequence[int]) -> dict[int, Item]:
        """The items of these numbers by `id`; numbers without an item are left out."""
        found: dict[int, Item] = {}
        with self.database.fetching() as fetch:
            for start in range(0, len(ids), IDS_PER_SELECT):
                rows = _by_number(fetch, _ITEMS_SQL, "items.id", ids[start : start + IDS_PER_SELECT])
                found |= {item.id: item for item in _as_items(fetch, rows)}
        return found

    def ids_of(self, item_ids: Sequence[str]) -> dict[str, int]:
        """The numbers (`id`) of these items by `item_id`; unknown ones are left out."""
        found: dict[str, int] = {}
        with self.database.reading() as connection:
            for start in range(0, len(item_ids), IDS_PER_SELECT):
                chosen = items.c.item_id.in_(item_ids[start : start + IDS_PER_SELECT])
                found |= {row.item_id: row.id for row in connection.execute(_IDS.where(chosen))}
        return found

    def scan(self, batch: int = 1000, after_id: int = 0) -> Iterator[list[Item]]:
        """All items in ascending number, in lists of at most `batch`; each list is one snapshot."""
        while True:
            with self.database.reading() as connection:
                found = _read_items(connection, _ITEMS.where(items.c.id > after_id).order_by(items.c.id).limit(batch))
            if not found:
                return
            yield found
            after_id = found[-1].id

    def created_after(self, after_id: int) -> list[tuple[int, float]]:
        """(`id`, creation time in seconds since 1970) of the items with an `id` above `after_id`, ascending."""
        with self.database.fetching() as fetch:
            rows = fetch(f"{_CREATED_SQL} WHERE id > {int(after_id)} ORDER BY id")
        return [(int(id_), float(created_at or 0.0)) for id_, created_at in rows]

    def delete(self, item_id: str, watch: UpsertWatch = _NOBODY) -> None:
        """Deletes the item and records its number as deleted. Raises ItemNotFound, and what `watch.check` raises."""
        columns = select(items.c.id, items.c.revision, items.c.updated_at)
        with self.database.writing(durable=True) as connection:
            found = connection.execute(columns.where(items.c.item_id == item_id)).one_or_none()
            watch.check(item_id, version_of(found.revision, _time(found.updated_at)) if found else None)
            if found is None:
                raise ItemNotFound(f"no item {item_id!r} in the catalogue")
            _delete(connection, [(found.id, item_id)])

    def delete_many(self, item_ids: Sequence[str]) -> int:
        """How many items of these ids there were; all of them are deleted in one transaction."""
        distinct = list(dict.fromkeys(item_ids))
        with self.database.writing(durable=True) as connection:
            found: list[tuple[int, str]] = []
            for start in range(0, len(distinct), IDS_PER_SELECT):
                chosen = items.c.item_id.in_(distinct[start : start + IDS_PER_SELECT])
                found += [(row.id, row.item_id) for row in connection.execute(_IDS.where(chosen))]
            _delete(connection, found)
        return len(found)

    def delete_unchanged(self, ids: Sequence[int], revision: int) -> int:
        """How many items with these numbers were deleted, in one transaction: those not changed after `revision`."""
        with self.database.writing(durable=True) as connection:
            found: list[tuple[int, str]] = []
            for start in range(0, len(ids), IDS_PER_SELECT):
                chosen = items.c.id.in_(ids[start : start + IDS_PER_SELECT]), items.c.revision <= revision
                found += [(row.id, row.item_id) for row in connection.execute(_IDS.where(*chosen))]
            _delete(connection, found)
        return len(found)

    def page(
        self, cursor: Cursor | None, limit: int, among: Sequence[int] | None = None
    ) -> tuple[list[Item], Cursor | None]:
        """The next items in ascending number, and the cursor of the page after them, None where there is none.

        At most `limit`; only those `among` these ascending numbers, where given. Each `item_id` comes once, even if the
        item was deleted after it was listed and put again. Raises NotTogether for a cursor of a later state.
        """
        with self.database.reading() as connection:
            now = _revision(partial(fetch_all, connection))
            at = cursor or Cursor(0, now)
            if at.revision > now:
                raise NotTogether("cursor: it is of another state of the catalogue; begin again without one")
            gone_since = select(deletions.c.id).where(deletions.c.revision > at.revision, deletions.c.id <= at.after_id)
            gone = (*at.gone, *connection.execute(gone_since.order_by(deletions.c.revision)).scalars())[-MAX_GONE:]
            if among is None:
                following = select(items.c.id).where(items.c.id > at.after_id).order_by(items.c.id).limit(limit + 1)
                ids = list(connection.execute(following).scalars())
            else:
                first = bisect_right(among, at.after_id)
                ids = list(among[first : first + limit + 1])
            found = _read_items(connection, _ITEMS.where(items.c.id.in_(ids[:limit])).order_by(items.c.id))
            listed = set(connection.execute(select(deletions.c.item_id).where(deletions.c.id.in_(gone))).scalars())
        page = [item for item in found if item.item_id not in listed]
        return page, Cursor(ids[limit - 1], now, gone) if len(ids) > limit else None

    def item_ids(self) -> Iterator[str]:
        """The ids of all items, in order of their numbers."""
        after_id = 0
        while True:
            with self.database.reading() as connection:
                chosen = _IDS.where(items.c.id > after_id).order_by(items.c.id).limit(_STATES_PER_SELECT)
                rows = connection.execute(chosen).all()
            if not rows:
                return
            yield from (row.item_id for row in rows)
            after_id = rows[-1].id

    def count(self) -> int:
        """The number of items."""
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(items)).scalar_one()

    def revision(self) -> int:
        """The catalogue's revision: a number that grows with every change to any item."""
        with self.database.fetching() as fetch:
            return _revision(fetch)

    def state(self) -> CatalogueState:
        """The catalogue's revision, and a digest of all items' numbers, revisions and times of change."""
        digest, after_id = hashlib.blake2b(digest_size=16), 0
        with self.database.fetching() as fetch:
            revision = _revision(fetch)
            digest.update(repr(sorted(load_kinds(fetch).items())).encode())
            while rows := fetch(_states_sql(after_id)):
                digest.update(repr(rows).encode())
                after_id = int(rows[-1][0])
        return CatalogueState(revision, digest.hexdigest())

    def changes_since(self, revision: int, limit: int = 10_000) -> Changes:
        """The items changed after this revision, at most `limit`, oldest first, and all numbers deleted after it."""
        with self.database.reading() as connection:
            now = _revision(partial(fetch_all, connection))
            changed = _read_items(
                connection, _ITEMS.where(items.c.revision > revision).order_by(items.c.revision).limit(limit + 1)
            )
            gone = connection.execute(select(deletions.c.id).where(deletions.c.revision > revision)).scalars().all()
        kept = changed[:limit]
        if len(changed) <= limit:
            return Changes(kept, list(gone), now, now)
        return Changes(kept, list(gone), kept[-1].revision if kept else revision, now)

    def attribute_kinds(self) -> dict[str, Kind]:
        """The kind of every attribute by name, without the known fields such as price."""
        with self.database.fetching() as fetch:
            return load_kinds(fetch)

    def odd_values(self) -> dict[str, int]:
        """By attribute how many items hold a value that is not of its kind; attributes without any are left out."""
        with self.database.fetching() as fetch:
            counts = load_counts(fetch)
        return {name: odd for name, num_items in sorted(counts.items()) if (odd := num_odd(num_items))}


def _delete(connection: Connection, found: Sequence[tuple[int, str]]) -> None:
    """Deletes the items of these numbers and ids, and records them as deleted."""
    if not found:
        return
    numbers = [id_ for id_, _ in found]
    count_kinds(connection, [], given_attributes(connection, numbers))
    for start in range(0, len(numbers), IDS_PER_SELECT):
        connection.execute(delete(items).where(items.c.id.in_(numbers[start : start + IDS_PER_SELECT])))
    revision = take_revisions(connection, len(found))
    rows = [{"id": id_, "item_id": item_id, "revision": revision + n} for n, (id_, item_id) in enumerate(found)]
    connection.execute(insert(deletions), rows)


_IDS = select(items.c.item_id, items.c.id)
_ITEMS = select(
    items.c.id,
    items.c.item_id,
    items.c.title,
    items.c.description,
    items.c.category,
    items.c.price,
    items.c.currency,
    items.c.url,
    items.c.attributes,
    items.c.revision,
    items.c.updated_at,
)
_PICTURES_SQL = str(
    select(
        pictures.c.item,
        pictures.c.position,
        pictures.c.path,
        pictures.c.content_hash,
        pictures.c.width,
        pictures.c.height,
        pictures.c.status,
    )
)
_ITEMS_SQL = str(_ITEMS)
_REVISION_SQL = f"{select(counters.c.value)} WHERE counters.name = 'revision'"
_STATES_SQL = str(select(items.c.id, items.c.revision, items.c.updated_at))
_CREATED_SQL = str(select(items.c.id, items.c.created_at))


def _states_sql(after_id: int) -> str:
    """The statement for number, revision and time of change of the next items after this number, ascending."""
    return f"{_STATES_SQL} WHERE items.id > {after_id} ORDER BY items.id LIMIT {_STATES_PER_SELECT}"


def _revision(fetch: Fetch) -> int:
    return int(fetch(_REVISION_SQL)[0][0])


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _read_items(connection: Connection, chosen: Select[Any]) -> list[Item]:
    """The chosen items with their pictures and typed attributes, in the order of the statement."""
    return _as_items(partial(fetch_all, connection), connection.execute(chosen).all())


def _by_number(fetch: Fetch, columns: str, key: str, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """The rows in which `key` is one of `ids`.

    Every search waits for this statement; with the numbers written into it, it takes half the time of one with a
    parameter for each.
    """
    numbers = ",".join(str(int(id_)) for id_ in ids)
    return fetch(f"{columns} WHERE {key} IN ({numbers})")


def _as_items(fetch: Fetch, rows: Sequence[Sequence[Any]]) -> list[Item]:
    if not rows:
        return []
    kinds = load_kinds(fetch)
    ids = [int(row[0]) for row in rows]
    shown, inferred = _read_pictures(fetch, ids), read_labels(fetch, ids)
    return [_item(row, kinds, shown, inferred) for row in rows]


def _read_pictures(fetch: Fetch, ids: list[int]) -> dict[int, list[Picture]]:
    found: dict[int, list[Picture]] = {}
    for start in range(0, len(ids), IDS_PER_SELECT):
        rows = _by_number(fetch, _PICTURES_SQL, "pictures.item", ids[start : start + IDS_PER_SELECT])
        for item, position, path, content_hash, width, height, status in sorted(rows):
            found.setdefault(item, []).append(Picture(position, path, content_hash, width, height, status))
    return found


def _item(
    row: Sequence[Any], kinds: dict[str, Kind], shown: dict[int, list[Picture]], inferred: dict[int, dict[str, Label]]
) -> Item:
    id_, item_id, title, description, category, price, currency, url, attributes, revision, updated_at = row
    given = typed_attributes(json.loads(attributes), kinds)
    return Item(
        id=id_,
        item_id=item_id,
        title=title,
        description=description,
        category=category,
        price=price,
        currency=currency,
        url=url,
        attributes=given,
        pictures=tuple(shown.get(id_, ())),
        revision=revision,
        updated_at=_time(updated_at),
        inferred={name: label for name, label in inferred.get(id_, {}).items() if name not in given},
    )
