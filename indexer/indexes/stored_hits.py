"""An item → its card, what a hit shows of it: written beside the vectors, so that no search asks the database.

What changed after the index was built is no longer read here, and an index of an older Magpie has no cards: both are
read from the catalogue (`search/live_index/hit_store.py`).
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


class Card(NamedTuple):
    """What a hit shows of an item. `image` is the content hash of its first good picture; `attributes` are what is
    given, and after it what is inferred, for which `inferred` says how likely each is right."""

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


def card_of(item: Item) -> Card:
    """The card of an item as the catalogue has it now."""
    return Card(
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


class CardsWriter:
    """Writes cards into a folder, some at a time; a card's row is its place in order."""

    def __init__(self, folder: Path, kinds: Mapping[str, Kind]) -> None:
        """`kinds` are those by which the items' attributes are shown."""
        self._folder, self._kinds = folder, dict(kinds)
        (folder / _TEXTS).touch()
        self._starts = array("q", [0])

    def add(self, items: Iterable[Item]) -> None:
        """Appends the cards of these items."""
        with (self._folder / _TEXTS).open("ab") as file:
            for item in items:
                line = _ENCODE(card_of(item)).encode()
                file.write(line + b"\n")
                self._starts.append(self._starts[-1] + len(line) + 1)

    def finish(self) -> None:
        """Writes where each card starts; nothing can be added afterwards."""
        np.save(self._folder / _PLACES, np.array(self._starts, np.int64))
        (self._folder / _KINDS).write_text(json.dumps(self._kinds, ensure_ascii=False), encoding="utf-8")


class Cards:
    """The cards of one index by row, mapped from disk; safe to share among threads. `kinds` are those by which
    attributes are shown on them."""

    def __init__(self, texts: bytes | mmap.mmap, starts: np.ndarray, kinds: Mapping[str, Kind]) -> None:
        self._texts, self._starts, self.kinds = texts, starts, kinds

    @classmethod
    def open(cls, folder: Path) -> "Cards | None":
        """What a writer wrote into the folder; None where an older Magpie built the index."""
        if not (folder / _PLACES).is_file():
            return None
        starts = np.load(folder / _PLACES)
        kinds = json.loads((folder / _KINDS).read_text(encoding="utf-8"))
        if starts[-1] == 0:  # an empty file cannot be mapped
            return cls(b"", starts, kinds)
        with (folder / _TEXTS).open("rb") as file:
            return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), starts, kinds)

    def read(self, rows: Iterable[int]) -> list[Card]:
        """The cards of the items in these rows."""
        lines = [self._texts[self._starts[row] : self._starts[row + 1]] for row in rows]
        return [Card(*fields) for fields in json.loads(b"[%b]" % b",".join(lines))]
