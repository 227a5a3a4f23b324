"""Infers the kind of each attribute and converts stored values to it; values are stored as they came.

The kind of a column is that of nearly all the values there are now (`kind_of_column`), in whatever order they came.
A value of another kind is odd: it is kept and shown as what it is.
"""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from magpie.data.catalogue.instants import iso_date
from magpie.data.catalogue.items import MAX_NUMBER, Value

Kind = Literal["number", "boolean", "date", "text", "list"]
KINDS: tuple[str, ...] = get_args(Kind)

# Notes among numbers ("about 30", "n/a") are a few values of a hundred. Where more than one of five is something else,
# such as S and M among 38 and 40, the words are meant, and people choose among them.
NEARLY_ALL = 0.8
# A column with several words in one item of twenty is meant to hold several; fewer are a slip.
SOME = 0.05
_SCALAR: tuple[Kind, ...] = ("number", "boolean", "date")
MAX_TYPED_CHARS = 1_000  # longer values are prose
# a leading zero or more digits than a float holds make a code ("007", a card number), not an amount
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
# "S|M|L" lists sizes as the feed's `images` column lists pictures; "Foo | Bar" is a title
_LIST = re.compile(r"[^\s|]([^|]{0,62}[^\s|])?(\|[^\s|]([^|]{0,62}[^\s|])?){1,49}")
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def kind_of(value: Value) -> Kind:
    """The narrowest kind that holds this one value, which must not be empty.

    A number beyond the greatest that a float holds, which older versions took, is text.
    """
    if not isinstance(value, str):
        if isinstance(value, list):
            return "list"
        return "boolean" if isinstance(value, bool) else "number" if abs(value) <= MAX_NUMBER else "text"
    if len(value) > MAX_TYPED_CHARS:
        return "text"
    if _NUMBER.fullmatch(value):
        return "number"
    if value.lower() in _BOOLEANS:
        return "boolean"
    if iso_date(value) is not None:
        return "date"
    return "list" if "|" in value and _LIST.fullmatch(value) else "text"


def kind_of_column(num_items: Mapping[Kind, int]) -> Kind:
    """The kind of a column of which so many items hold a value of each kind; "text" where nobody holds any.

    Where no kind but lists is that of nearly all, all values are words; they are lists of words where some are.
    """
    total = sum(num_items.values())
    for kind in _SCALAR:
        if total and num_items.get(kind, 0) >= NEARLY_ALL * total:
            return kind
    return "list" if total and num_items.get("list", 0) >= SOME * total else "text"


def num_odd(num_items: Mapping[Kind, int]) -> int:
    """How many of these values are not of their column's kind. Numbers, booleans and dates are texts as well, and
    each value is a list of one."""
    kind = kind_of_column(num_items)
    if kind == "list":
        return 0
    if kind == "text":
        return num_items.get("list", 0)
    return sum(num_items.values()) - num_items[kind]


def typed(value: Value, kind: Kind) -> Value:
    """The stored value as its column's kind shows it; one that the kind does not hold as it came."""
    own = kind_of(value)
    if kind == "list" or own == "list":
        return _as_list(value)
    if kind == "text":
        return _as_text(value)
    if own != kind:
        return _as_text(value) if own == "text" else value
    if kind == "number":
        return _as_number(value)
    if kind == "boolean" and isinstance(value, str):
        return _BOOLEANS[value.lower()]
    if kind == "date" and isinstance(value, str) and len(value) > len("2026-01-31"):
        return iso_date(value) or value
    return value


def typed_attributes(raw: Mapping[str, Value], kinds: Mapping[str, Kind]) -> dict[str, Value]:
    """The attributes of one item, converted to their kinds; an attribute without a known kind is text."""
    shown = dict(raw)
    for name, value in raw.items():
        kind = kinds.get(name, "text")
        # most columns hold words, which are shown as they are
        if kind != "text" or not isinstance(value, str) or "|" in value:
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
