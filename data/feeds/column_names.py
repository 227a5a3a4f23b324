"""Knows fields by the names that columns have in the languages of shops, spreadsheets and museums."""

import re
import tomllib
from functools import cache
from pathlib import Path

_NOT_WORDS = re.compile(r"[^\w]+|_+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BRACKETS = re.compile(r"\s*[\(\[{][^)\]}]*[\)\]}]")
_NUMBER = re.compile(r"[ _.-]?\d{1,3}$")


def plain_name(column: str) -> str:
    """The words of a column's name in lower case: "product name" of "Product_Name *" and "productName"."""
    return _NOT_WORDS.sub(" ", _CAMEL.sub(" ", _BRACKETS.sub("", column))).strip().casefold()


def known_field(column: str) -> str | None:
    """The field that a column of this name holds, None for an unknown one."""
    name = plain_name(column)
    fields = names_of_fields()
    return fields.get(name) or fields.get(plain_name(_NUMBER.sub("", column))) if name else None


@cache
def names_of_fields() -> dict[str, str]:
    """The field by plain name; those listed first in the file are preferred where several columns are known."""
    found: dict[str, str] = {}
    for field, names in _file().items():
        for name in names:
            found.setdefault(plain_name(name), field)
    return found


def preference(column: str, field: str) -> int:
    """The place of a column's name among the names of the field; lower is surer."""
    names = [plain_name(name) for name in _file().get(field, [])]
    for name in (plain_name(column), plain_name(_NUMBER.sub("", column))):
        if name in names:
            return names.index(name)
    return len(names)


@cache
def _file() -> dict[str, list[str]]:
    return tomllib.loads((Path(__file__).parent / "column_names.toml").read_text("utf-8"))
