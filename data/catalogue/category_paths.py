"""Reads category paths such as `Home > Kitchen > Mugs`, whichever separator a feed writes them with.

A path is known by its key, the names between all separators without letter case, so that `home/kitchen` and
`Home >> Kitchen` are one. Where `>` separates the levels of a category, `/` and `|` in it are part of a name.
"""

import re
from functools import lru_cache

Key = tuple[str, ...]
_SEPARATORS = (r"\s*>+\s*", r"\s*\|\s*", r"\s*/\s*")  # the strongest first
_ANY_SEPARATOR = re.compile("|".join(_SEPARATORS))


def key_of(path: str) -> Key:
    """The key of a path; empty for one without names."""
    return tuple(name.casefold() for name in _names(_ANY_SEPARATOR.split(_bare(path))))


def levels_of(category: str) -> list[str]:
    """The names of the category's levels, the uppermost first: between the strongest of the separators in it."""
    bare = _bare(category)
    for separator in _SEPARATORS:
        if len(parts := re.split(separator, bare)) > 1:
            return _names(parts)
    return _names([bare])


def branch_keys(category: str) -> list[Key]:
    """The keys of the category's levels, from the uppermost to itself."""
    keys, key = [], Key()
    for level in levels_of(category):
        key += key_of(level)
        keys.append(key)
    return keys


@lru_cache(maxsize=20_000)  # once an item, of few categories
def last_of_path(category: str) -> str:
    """The most specific name of a category path; "" without one."""
    return _ANY_SEPARATOR.split(_bare(category))[-1].strip()


def _bare(path: str) -> str:
    return path.strip('[]" ')


def _names(parts: list[str]) -> list[str]:
    return [name for part in parts if (name := part.strip())]
