"""Stores the fields that a hit shows of each item beside the vectors, so that a search reads no database.

Items that changed after the index was built, and all items of an index that an older Magpie built, are read from the
catalogue instead (`search/live_index/hit_store.py`).
"""

import json
import mmap
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from magpie.data.catalogue.attribute_types import Kind
from magpie.data.catalogue.items import Item, Value, confidences

_TEXTS, _PLACES, _KINDS = "cards.jsonl", "cards.npy", "cards.kinds.json"
_ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


class StoredHit(NamedTuple):
    """The fields that a hit shows of an item. `image` is the content hash of its first good picture; `attributes` are
    first the given, then the inferred ones, and `inferred` says how likely each of the latter is right."""

    id: int
    item_id: str
    title: str
    description: str
    category: str
    price: float | None
    currency: str
    url: str
    image: str | None
    attributes: dict[str, Value]
    inferred: dict[str, float]


def stored_hit_of(item: Item) -> StoredHit:
    """The fields of an item as the catalogue has it now."""
    return StoredHit(
        id=item.id,
        item_id=item.item_id,
        title=item.title,
        description=item.description,
        category=item.category,
        price=item.price,
        currency=item.currency,
        url=item.url,
        image=next((picture.content_hash for picture in item.pictures if picture.status == "ok"), None),
        attributes=item.known_attributes,
        inferred=confidences(item),
    )


class StoredHitsWriter:
    """Writes stored hits into a folder, some at a time; an item's row is its place in the order of writing."""

    def __init__(self, folder: Path, kinds: Mapping[str, Kind]) -> None:
        """`kinds` are those by which the items' attributes are shown."""
        self._folder, self._kinds = folder, dict(kinds)
        (folder / _TEXTS).touch()
        self._starts = array("q", [0])

    def add(self, items: Iterable[Item]) -> None:
        """Appends these items."""
        with (self._folder / _TEXTS).open("ab") as file:
            for item in items:
                line = _ENCODE(stored_hit_of(item)).encode()
                file.write(line + b"\n")
                self._starts.append(self._starts[-1] + len(line) + 1)

    def finish(self) -> None:
        """Writes where each stored hit starts; nothing can be added afterwards."""
        np.save(self._folder / _PLACES, np.array(self._starts, np.int64))
        (self._folder / _KINDS).write_text(json.dumps(self._kinds, ensure_ascii=False), encoding="utf-8")


class StoredHits:
    """The stored hits of one index by row, mapped from disk; safe to share among threads. `kinds` are the attributes'
    kinds at the time of writing."""

    def __init__(self, texts: bytes | mmap.mmap, starts: np.ndarray, kinds: Mapping[str, Kind]) -> None:
        self._texts, self._starts, self.kinds = texts, starts, kinds

    @classmethod
    def open(cls, folder: Path) -> "StoredHits | None":
        """What a writer wrote into the folder; None where an older Magpie built the index."""
        if not (folder / _PLACES).is_file():
            return None
        starts = np.load(folder / _PLACES)
        kinds = json.loads((folder / _KINDS).read_text(encoding="utf-8"))
        if starts[-1] == 0:  # an empty file cannot be mapped
            return cls(b"", starts, kinds)
        with (folder / _TEXTS).open("rb") as file:
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), starts, kinds)

    def read(self, rows: Iterable[int]) -> list[StoredHit]:
        """The stored hits in these rows."""
        lines = [self._texts[self._starts[row] : self._starts[row + 1]] for row in rows]
        return [StoredHit(*fields) for fields in json.loads(b"[%b]" % b",".join(lines))]
