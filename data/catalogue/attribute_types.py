"""Infers the kind of each attribute and converts stored values to it; values are stored as they came.

Kinds are only widened: two of number, boolean and date give text, and any with list gives list. So the kind of an
attribute does not depend on the order of its values.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal, get_args

from magpie.data.catalogue.items import Value

Kind = Literal["number", "boolean", "date", "text", "list"]
KINDS: tuple[str, ...] = get_args(Kind)

MAX_TYPED_CHARS = 1_000  # longer values are text
# a leading zero or more digits than a float holds make a code ("007", a card number), not an amount
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?( ?(Z|[+-]\d\d:?\d\d))?)?", re.ASCII)
# "S|M|L" lists sizes as the feed's `images` column lists pictures; "Foo | Bar" is a title
_LIST = re.compile(r"[^\s|]([^|]{0,62}[^\s|])?(\|[^\s|]([^|]{0,62}[^\s|])?){1,49}")
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def kind_of(value: Value) -> Kind:
    """The narrowest kind of one value, which must not be empty."""
    if not isinstance(value, str):
        return "list" if isinstance(value, list) else "boolean" if isinstance(value, bool) else "number"
    if len(value) > MAX_TYPED_CHARS:
        return "text"
    if _NUMBER.fullmatch(value):
        return "number"
    if value.lower() in _BOOLEANS:
        return "boolean"
    if _iso_date(value) is not None:
        return "date"
    return "list" if "|" in value and _LIST.fullmatch(value) else "text"


def widen(known: Kind | None, seen: Kind) -> Kind:
    """The narrowest kind that holds the values of both; `known` is None before the first value."""
    if known is None or known == seen:
        return seen
    return "list" if "list" in (known, seen) else "text"


def typed(value: Value, kind: Kind) -> Value:
    """The stored value converted to its attribute's kind, which must be as wide as `kind_of(value)`."""
    if kind == "list":
        return _as_list(value)
    if isinstance(value, list):
        return "|".join(value)
    if kind == "number":
        return _as_number(value)
    if kind == "boolean" and isinstance(value, str):
        return _BOOLEANS.get(value.lower(), value)
    if kind == "date" and isinstance(value, str) and len(value) > len("2026-01-31"):
        return _iso_date(value) or value
    return _as_text(value) if kind == "text" else value


def typed_attributes(raw: Mapping[str, Value], kinds: Mapping[str, Kind]) -> dict[str, Value]:
    """The attributes of one item, converted to their kinds; an attribute without a known kind is text."""
    shown = dict(raw)
    for name, value in raw.items():
        kind = kinds.get(name, "text")
        if kind != "text" or not isinstance(value, str):  # text needs no conversion, and most attributes are text
            shown[name] = typed(value, kind)
    return shown


def _as_list(value: Value) -> list[str]:
    if isinstance(value, list):
        return value
    if isinstance(value, str) and _LIST.fullmatch(value):
        return value.split("|")
    return [_as_text(value)]


def _as_number(value: Value) -> Value:
    if isinstance(value, str):
        return float(value) if "." in value else int(value)
    return value


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _iso_date(value: str) -> str | None:
    """The date or time in its canonical ISO form, None for anything else."""
    if not _DATE.fullmatch(value):
        return None
    try:
        if len(value) == len("2026-01-31"):
            return date.fromisoformat(value).isoformat()
        return datetime.fromisoformat(value[:10] + "T" + value[11:].replace(" ", "")).isoformat()
    except ValueError:
        return None
