"""Defines an item as a feed gives it (`ItemDraft`) and as the catalogue stores it (`Item`)."""

import json
import math
import sys
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import cast

from magpie.data.errors import BadItem

Value = str | float | int | bool | list[str]  # dates are ISO strings

KNOWN_FIELDS = ("id", "title", "description", "price", "currency", "url", "category", "image", "images")
_FIELDS = frozenset(KNOWN_FIELDS)
MAX_ID_CHARS = 512
MAX_NAME_CHARS = 200
MAX_TEXT_BYTES = 1_000_000
MAX_ATTRIBUTES = 1_000
MAX_PICTURES = 100
MAX_NUMBER = sys.float_info.max  # columns hold 64-bit floats
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Picture:
    """One picture of an item, `position` 1-based; `status` is "ok", "missing" or "broken".

    Only a picture with status "ok" has a content hash, and a width and height in pixels.
    """

    position: int
    file: str  # absolute
    content_hash: str
    width: int
    height: int
    status: str

    @property
    def path(self) -> Path:
        """The file as a path, made on demand: a rebuild reads a million pictures from the database and opens few."""
        return Path(self.file)


@dataclass(frozen=True)
class Label:
    """An inferred attribute value, and the probability that it is right."""

    value: str
    confidence: float


@dataclass(frozen=True)
class Item:
    """One item of the catalogue; `id` is the number that indexes use, `item_id` the owner's identifier.

    `attributes` are the given ones; `inferred` are labels of attributes that were not given.
    """

    id: int
    item_id: str
    title: str
    description: str
    category: str
    price: float | None
    currency: str
    url: str
    attributes: dict[str, Value]
    pictures: tuple[Picture, ...]
    revision: int
    updated_at: datetime
    inferred: dict[str, Label] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version of this state of the item, as in `version_of`."""
        return version_of(self.revision, self.updated_at)

    @property
    def known_attributes(self) -> dict[str, Value]:
        """The given attributes, followed by the inferred ones."""
        return {**self.attributes, **{name: label.value for name, label in self.inferred.items()}}


def version_of(revision: int, updated_at: datetime) -> str:
    """A version that no other state of any item has: revision and time of change, hexadecimal.

    The time is needed because revisions are used again after a backup is restored.
    """
    return f"{revision:x}-{int(updated_at.timestamp() * 1000):x}"


def confidences(item: Item) -> dict[str, float]:
    """The probability that each inferred attribute of the item is right, by attribute."""
    return {name: label.confidence for name, label in item.inferred.items()}


@dataclass(frozen=True)
class ItemDraft:
    """An item as a feed gives it: raw attribute values, picture paths relative to the feed's folder of pictures."""

    item_id: str
    title: str
    description: str = ""
    category: str = ""
    price: float | None = None
    currency: str = ""
    url: str = ""
    attributes: dict[str, Value] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)  # where it starts in its feed; 0 for an item outside a feed
    notes: tuple[str, ...] = field(default=(), compare=False)  # parts of the row that could not be used

    @cached_property
    def canonical(self) -> bytes:
        """The content as canonical JSON in UTF-8, for hashing. Raises BadItem for content that cannot be stored."""
        _check(self)
        content = [self.title, self.description, self.category, self.price, self.currency, self.url]
        try:
            text = _CANONICAL.encode([self.item_id, *content, self.attributes, self.pictures])
            canonical = text.encode("utf-8")
        except UnicodeEncodeError as error:
            culprit = error.object[error.start]
            raise BadItem(f"item {self.item_id!r} holds text that is not UTF-8: {culprit!r}") from error
        if len(canonical) > MAX_TEXT_BYTES:
            raise BadItem(f"item {self.item_id!r} holds more than {MAX_TEXT_BYTES:,} bytes of text; shorten it")
        # the escape may also be the item's own text, which is fine
        if "\\u0000" in text and _has_nul(json.loads(text)):
            raise BadItem(f"item {self.item_id!r} holds a NUL character, which is no text")
        return canonical


def hash_content(canonical: bytes, picture_hashes: list[str]) -> bytes:
    """A 16-byte hash of an item's canonical content and its pictures' hashes."""
    digest = blake2b(canonical, digest_size=16)
    for picture_hash in picture_hashes:
        digest.update(b"\0" + picture_hash.encode())
    return digest.digest()


def _check(draft: ItemDraft) -> None:
    _check_id(draft.item_id)
    if draft.price is not None and not (math.isfinite(draft.price) and 0 <= draft.price < 1e15):
        raise BadItem(f"price {draft.price} of item {draft.item_id!r} is not an amount of money; leave it empty")
    if len(draft.attributes) > MAX_ATTRIBUTES or len(draft.pictures) > MAX_PICTURES:
        raise BadItem(f"item {draft.item_id!r} has more than {MAX_ATTRIBUTES} attributes or {MAX_PICTURES} pictures")
    for name, value in draft.attributes.items():
        if not name or len(name) > MAX_NAME_CHARS or name in _FIELDS:
            raise BadItem(f"attribute {name[:40]!r} of item {draft.item_id!r}: choose another name for it")
        if type(value) is not str:
            _check_value(value, name, draft.item_id)


def _check_id(item_id: str) -> None:
    if not item_id or item_id != item_id.strip():
        raise BadItem("the id is empty" if not item_id.strip() else f"id {item_id!r} begins or ends with a space")
    if len(item_id) > MAX_ID_CHARS:
        raise BadItem(f"the id has {len(item_id)} characters, at most {MAX_ID_CHARS} are allowed: {item_id[:40]!r}…")
    if not item_id.isprintable() and any(ord(c) < 32 or 127 <= ord(c) < 160 for c in item_id):
        raise BadItem(f"id {item_id!r} holds a control character")


def _check_value(value: object, name: str, item_id: str) -> None:
    kind = type(value)
    if kind is bool or (kind in (int, float) and -MAX_NUMBER <= cast(float, value) <= MAX_NUMBER):
        return
    if isinstance(value, list) and all(type(part) is str for part in value):
        return
    known = f"a text, a number within ±{MAX_NUMBER:.1e}, true, false or a list of texts"
    raise BadItem(f"attribute {name!r} of item {item_id!r}: give {known}")


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, list):
        return any(_has_nul(part) for part in value)
    return isinstance(value, dict) and any(_has_nul(part) for pair in value.items() for part in pair)
