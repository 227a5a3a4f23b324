"""Finds attribute values among a query's words ("blue", "glass"), and "size 42" where a size column has it."""

import re
from functools import cache

from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import SIGN, any_of, fold, query_words
from magpie.search.query.spans import Span
from magpie.search.request import Understood

_STARTS = re.compile(rf"(?<![\w]){WORD.pattern}|[{SIGN}]")


def find_values(text: str, facts: CatalogueFacts) -> list[Understood]:
    """The values that a text names, in order and without overlap; of a value of several fields the first."""
    found = []
    folded, end = fold(text), 0
    for start in _STARTS.finditer(folded):
        if start.start() < end:
            continue
        value = facts.value_at(folded, start.start())
        if value is not None:
            end = value.end
            field, meant = value.meanings[0]
            found.append(Understood("value", text[start.start() : end], field, words=(meant,)))
    return found


def find_sizes(text: str, facts: CatalogueFacts) -> list[Span]:
    """The sizes that a folded query asks for by a word for them ("size M", "taglia 42"), where a column has them.

    The size stays a word, the word for it goes: items seldom have that one.
    """
    named = [(match, facts.size(match.group("size"))) for match in _size().finditer(text)]
    return [
        Span("value", *match.span(), size[0], values=(size[1],), inner=(match.span("size"),))
        for match, size in named
        if size
    ]


@cache
def _size() -> re.Pattern[str]:
    size = r"(?P<size>\d+(?:[.,/]\d+)?|[a-z]{1,4}|\d?x{1,5}[ls])"
    return re.compile(rf"{any_of(query_words()['size'])}[\s:.]*{size}(?!\w)")
