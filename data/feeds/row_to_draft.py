"""Turns one row of a feed of any format into a draft, or rejects it with line and reason."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from magpie.data.catalogue.items import MAX_NUMBER, ItemDraft, Value
from magpie.data.errors import BadItem
from magpie.data.feeds.column_mapping import Columns, assign_columns
from magpie.data.feeds.prices import parse_price

MAX_RAW_CHARS = 1_000
_EXACT_INT = 2**53  # beyond, a float column would change the digits


@dataclass(frozen=True)
class Reject:
    """A rejected row: the line where it starts (for Parquet its row number), the reason, and the row itself."""

    line: int
    reason: str
    raw: str


def reject(line: int, reason: str, raw: object) -> Reject:
    """The rejection of a row, which is cut to 1,000 characters."""
    text = raw if isinstance(raw, str) else repr(raw)
    return Reject(line, reason, text[:MAX_RAW_CHARS].encode("utf-8", "backslashreplace").decode())


class DraftMaker:
    """Makes the drafts of one feed and rejects repeated ids; it keeps eight bytes for each id."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def from_cells(self, cells: Sequence[str], columns: Columns, line: int) -> ItemDraft:
        """The draft of a row of text cells. Raises BadItem for a row to reject."""
        count = len(cells)
        if count > columns.count and any(cells[columns.count :]):
            raise BadItem(f"{count} cells, but the header has {columns.count} columns")
        known: dict[str, object] = {field: cells[n].strip() for field, n in columns.known.items() if n < count}
        attributes: dict[str, Value] = {}
        for n, name in columns.attributes:
            if n < count and (text := cells[n].strip()):
                attributes[name] = text
        given = [part for n in columns.pictures if n < count and cells[n] for part in split_pictures(cells[n])]
        return self._finish(known, attributes, given, line, ())

    def from_record(self, record: Mapping[str, object], columns: Columns, line: int) -> ItemDraft:
        """The draft of a flat record of typed values. Raises BadItem for a row to reject."""
        values = list(record.values())
        notes: list[str] = []
        known = {field: values[n] for field, n in columns.known.items()}
        attributes: dict[str, Value] = {}
        for n, name in columns.attributes:
            if isinstance(values[n], bytes):
                notes.append(f"attribute {name!r} is binary, which is not taken")
            elif _is_beyond_numbers(values[n]):
                notes.append(f"attribute {name!r} holds a number beyond {MAX_NUMBER:.1e}, which is not taken")
            elif (value := _clean(values[n], name)) is not None:
                attributes[name] = value
        given: list[str] = []
        for n in columns.pictures:
            given += _paths(values[n], notes)
        return self._finish(known, attributes, given, line, tuple(notes))

    def _finish(
        self,
        known: Mapping[str, object],
        attributes: dict[str, Value],
        pictures: Iterable[str],
        line: int,
        notes: tuple[str, ...],
    ) -> ItemDraft:
        item_id = _id_text(known.get("id"))
        price, currency = _price(known.get("price"))
        draft = ItemDraft(
            item_id=item_id,
            title=_text(known.get("title"), " "),
            description=_text(known.get("description"), "\n"),
            category=_text(known.get("category"), " > "),
            price=price,
            currency=_text(known.get("currency"), " ") or currency,
            url=_text(known.get("url"), " "),
            attributes=attributes,
            pictures=tuple(dict.fromkeys(pictures)),
            line=line,
            notes=notes,
        )
        draft.canonical  # noqa: B018  (raises BadItem for what cannot be stored)
        key = hash(item_id)
        if key in self._seen:
            raise BadItem(f"id {item_id!r} was used before in this feed")
        self._seen.add(key)
        return draft


def split_pictures(cell: str) -> list[str]:
    """The picture paths of one cell, separated by "|"."""
    return [part for piece in cell.split("|") if (part := piece.strip())]


def flatten(record: Mapping[str, object]) -> dict[str, object]:
    """The record with nested objects flattened to dotted names; members of an object "attributes" keep their names."""
    if not any(isinstance(value, dict) for value in record.values()):
        return dict(record)
    flat: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [(str(name), value) for name, value in reversed(list(record.items()))]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            prefix = "" if name == "attributes" else f"{name}."
            waiting += [(f"{prefix}{inner}", part) for inner, part in reversed(list(value.items()))]
        else:
            flat[name] = value
    return flat


class RecordColumns:
    """Assigns columns to records that may differ in their fields."""

    def __init__(self, header: Sequence[str], mapping: Mapping[str, str], name: str) -> None:
        columns = assign_columns(header, mapping, name)
        # aliases and spellings that the first records used hold for all
        self._mapping = dict(mapping) | {field: header[n] for field, n in columns.known.items()}
        self._name = name
        self._by_names: dict[tuple[str, ...], Columns] = {}

    def of(self, record: Mapping[str, object]) -> Columns:
        """The columns of this record, as indices of its values."""
        names = tuple(record)
        columns = self._by_names.get(names)
        if columns is None:
            if len(self._by_names) > 1_000:
                self._by_names.clear()
            columns = self._by_names[names] = assign_columns(names, self._mapping, self._name, whole=False)
        return columns


def _id_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | None):
        raise BadItem(f"the id is neither text nor a number: {str(value)[:60]!r}")
    if isinstance(value, float | Decimal) and value == value and abs(float(value)) < _EXACT_INT and not value % 1:
        value = int(value)
    text = "" if value is None or value != value else str(value).strip()
    if not text:
        raise BadItem("the id is empty")
    return text


def _price(value: object) -> tuple[float | None, str]:
    if value is None or value == "" or value != value:
        return None, ""
    if isinstance(value, str):
        try:
            return parse_price(value) if value.strip() else (None, "")
        except ValueError as error:
            raise BadItem(str(error)) from error
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BadItem(f"price {str(value)[:60]!r} is not a number")
    try:
        return float(value), ""
    except OverflowError as error:
        raise BadItem("price is too large") from error


def _text(value: object, joint: str) -> str:
    if isinstance(value, str):
        return value.strip()
    cleaned = _clean(value, "text") if not isinstance(value, bytes) else None
    if cleaned is None:
        return ""
    if isinstance(cleaned, list):
        return joint.join(cleaned)
    return str(cleaned)


def _is_beyond_numbers(value: object) -> bool:
    """Whether it is, or holds, a number that no column can: infinite, or of hundreds of digits."""
    if isinstance(value, list | tuple):
        return any(_is_beyond_numbers(part) for part in value)
    return isinstance(value, int | float | Decimal) and value == value and not -MAX_NUMBER <= value <= MAX_NUMBER


def _clean(value: object, name: str) -> Value | None:
    """The value as an attribute stores it, None where it is empty. Raises BadItem for an infinite number."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or value != value:  # tables write a missing value as NaN
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_INT else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadItem(f"{name} is infinite")
        return value
    if isinstance(value, Decimal):
        return _clean(int(value) if value == value.to_integral_value() else float(value), name)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return _clean_list(value, name)
    return json.dumps(value, ensure_ascii=False, default=str)


def _clean_list(values: Sequence[object], name: str) -> Value | None:
    if any(isinstance(value, dict | list | tuple | bytes) for value in values):
        return json.dumps(values, ensure_ascii=False, default=str)
    cleaned = [part for value in values if (part := _clean(value, name)) is not None]
    return [_shown(part) for part in cleaned] or None


def _shown(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _paths(value: object, notes: list[str]) -> list[str]:
    if isinstance(value, str):
        return split_pictures(value)
    if isinstance(value, list | tuple):
        return [path for part in value for path in _paths(part, notes)]
    if value is not None and value == value:
        notes.append("a picture is not given as a path, which is not taken")
    return []
