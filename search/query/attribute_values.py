"""Finds attribute values among a query's words ("blue", "glass"), and "size 42" where a size column has it."""

import re
from dataclasses import dataclass
from functools import cache

from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import SIGN, any_of, fold, query_words

_STARTS = re.compile(rf"(?<![\w]){WORD.pattern}|[{SIGN}]")


@dataclass(frozen=True)
class NamedValue:
    """Words of a query, `text`, that are the `value` of a field."""

    text: str
    field: str
    value: str


def find_values(text: str, facts: CatalogueFacts) -> tuple[NamedValue, ...]:
    """The values that a text names, in order and without overlap, a size first; of a value of several fields the first.

    A size is read only beside a word for sizes ("size M", "taglia 42").
    """
    found = []
    folded, end = fold(text), 0
    for start in _STARTS.finditer(folded):
        if start.start() < end:
            continue
        size = _size().match(folded, start.start())
        if size and (named := facts.sizes.get(size.group("size"))):
            end = size.end()
            found.append(NamedValue(text[start.start() : end], *named))
            continue
        value = facts.value_at(folded, start.start())
        if value is not None:
            end = value.end
            found.append(NamedValue(text[start.start() : end], *value.meanings[0]))
    return tuple(found)


@cache
def _size() -> re.Pattern[str]:
    size = r"(?P<size>\d+(?:[.,/]\d+)?|[a-z]{1,4}|\d?x{1,5}[ls])"
    return re.compile(rf"{any_of(query_words()['size'])}[\s:.]*{size}(?!\w)")
