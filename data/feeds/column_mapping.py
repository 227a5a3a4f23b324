"""Maps the columns of a feed to fields: by name or by `--map`; any other column is an attribute."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from magpie.data.catalogue.items import KNOWN_FIELDS
from magpie.data.errors import BadFeed

PICTURE_FIELDS = ("image", "images")
# common other names of fields; used where the feed lacks the field's own name
ALIASES = {"item_id": "id", "name": "title", "image_path": "image", "picture": "image", "pictures": "images"}
_NUMBERED = re.compile(r"(?:image|picture)[ _-]?(\d{1,3})")


@dataclass(frozen=True)
class Columns:
    """The column indices (from 0) of an item's fields, pictures and attributes; `count` columns in all."""

    count: int
    known: dict[str, int]  # index by field, without pictures
    pictures: list[int]
    attributes: list[tuple[int, str]]


def assign_columns(header: Sequence[str], mapping: Mapping[str, str], name: str, whole: bool = True) -> Columns:
    """The columns of an item's fields, pictures and attributes in `header`.

    `mapping` is {field or attribute: column}. With `whole`, the header lists all columns of the feed, and must have an
    id and every mapped column. Raises BadFeed, naming `name` and the existing columns.
    """
    assigned = _mapped(header, mapping, name, whole)
    lowered = [column.strip().lower() for column in header]
    taken = set(assigned.values())
    for field in KNOWN_FIELDS:
        matches = [n for n, column in enumerate(lowered) if column == field and n not in taken]
        if field not in assigned and matches and field not in PICTURE_FIELDS:
            exact = [n for n in matches if header[n].strip() == field]
            matches = exact if len(exact) == 1 else matches  # beside "id", "ID" is an attribute
            if len(matches) > 1:
                raise BadFeed(f"{name}: {len(matches)} columns are named {field!r}; name one with --map {field}=COLUMN")
            assigned[field] = matches[0]
    for alias, field in ALIASES.items():
        if (
            alias in lowered
            and field not in assigned
            and field not in PICTURE_FIELDS
            and lowered.index(alias) not in taken
        ):
            assigned[field] = lowered.index(alias)
    if whole and "id" not in assigned:
        raise BadFeed(f"{name}: no column 'id' among {_listed(header)}; say which it is with --map id=COLUMN")
    pictures = _picture_columns(lowered, assigned)
    used = set(assigned.values()) | set(pictures)
    free = [(n, column) for n, column in enumerate(header) if n not in used]
    renamed = [(index, target) for target, index in assigned.items() if target not in KNOWN_FIELDS]
    known = {field: index for field, index in assigned.items() if field in KNOWN_FIELDS and field not in PICTURE_FIELDS}
    return Columns(len(header), known, pictures, _attribute_names(free, renamed))


def _mapped(header: Sequence[str], mapping: Mapping[str, str], name: str, whole: bool) -> dict[str, int]:
    stripped = [column.strip() for column in header]
    lowered = [column.lower() for column in stripped]
    found = {}
    for meaning, column in mapping.items():
        target = meaning.strip().lower() if meaning.strip().lower() in KNOWN_FIELDS else meaning.strip()
        if column in stripped:
            found[target] = stripped.index(column)
        elif column.lower() in lowered:
            found[target] = lowered.index(column.lower())
        elif whole:
            raise BadFeed(f"{name}: --map {meaning}={column}: no such column; there are {_listed(header)}")
    return found


def _picture_columns(lowered: list[str], assigned: Mapping[str, int]) -> list[int]:
    mapped = [assigned[field] for field in PICTURE_FIELDS if field in assigned]
    taken = set(assigned.values())
    numbered = [(int(match[1]), n) for n, column in enumerate(lowered) if (match := _NUMBERED.fullmatch(column))]
    named = [n for field in PICTURE_FIELDS for n, column in enumerate(lowered) if column == field]
    if not named and not mapped:
        named = [n for n, column in enumerate(lowered) if ALIASES.get(column) in PICTURE_FIELDS]
    free = [] if mapped else named
    return mapped + [n for n in free + [n for _, n in sorted(numbered)] if n not in taken]


def _attribute_names(free: list[tuple[int, str]], renamed: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """(index, name) of the attributes: no name is empty, repeated or that of a known field, whose column was mapped."""
    named = list(renamed)
    used = {name for _, name in named}
    for index, column in free:
        base = column.strip()[:190] or f"column_{index + 1}"
        if base.lower() in KNOWN_FIELDS:
            base = f"feed_{base}"
        name, n = base, 1
        while name in used:
            n += 1
            name = f"{base}_{n}"
        used.add(name)
        named.append((index, name))
    return sorted(named)


def _listed(header: Sequence[str]) -> str:
    shown = ", ".join(repr(column[:60]) for column in header[:40])
    return shown + (f" and {len(header) - 40} more" if len(header) > 40 else "")
