"""Exports the whole catalogue as a file that `catalog import` reads again, for `catalog export`."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from magpie.data.catalogue.catalogue import Catalogue, Item, Value
from magpie.data.errors import BadSetting

_FIELDS = ("id", "title", "description", "price", "currency", "url", "category", "images")


def export_catalogue(catalogue: Catalogue, target: Path) -> int:
    """The number of items written to `target`, a .jsonl or .csv file; their picture paths are absolute.

    Raises BadSetting for another format and where the file cannot be written.
    """
    suffix = target.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".ndjson"):
        raise BadSetting(f"{target}: its format is unknown; name the file .jsonl or .csv")
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            write = _write_csv if suffix == ".csv" else _write_json_lines
            count = write(catalogue, stream)
        partial.replace(target)
    except OSError as error:
        raise BadSetting(f"{target}: cannot be written ({error.strerror}); choose another place") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def _write_json_lines(catalogue: Catalogue, stream: TextIO) -> int:
    count = 0
    for item in _items(catalogue):
        record = _known(item) | {"images": _paths(item), "attributes": item.attributes}
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        count += 1
    return count


def _write_csv(catalogue: Catalogue, stream: TextIO) -> int:
    names = sorted(catalogue.attribute_kinds())
    writer = csv.writer(stream)
    writer.writerow([*_FIELDS, *names])
    count = 0
    for item in _items(catalogue):
        known = _known(item).values()
        writer.writerow([*known, "|".join(_paths(item)), *(_cell(item.attributes.get(name, "")) for name in names)])
        count += 1
    return count


def _items(catalogue: Catalogue) -> Iterator[Item]:
    for batch in catalogue.scan():
        yield from batch


def _known(item: Item) -> dict[str, Any]:
    return {
        "id": item.item_id,
        "title": item.title,
        "description": item.description,
        "price": item.price,
        "currency": item.currency,
        "url": item.url,
        "category": item.category,
    }


def _paths(item: Item) -> list[str]:
    return [picture.file for picture in item.pictures]


def _cell(value: Value) -> str:
    if isinstance(value, list):
        return "|".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
