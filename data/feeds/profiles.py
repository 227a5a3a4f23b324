"""Knows who made a feed by its columns: one small file a maker, in profiles/, says which column is what."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from magpie.data.errors import BadFeed

FOLDER = Path(__file__).parent / "profiles"
ROLES = ("id", "title", "description", "category", "price", "currency", "url", "image", "image_id", "group", "parent",
         "also_known_as", "children", "translation", "variant_id", "stock", "in_stock", "sale_only_if")  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """A column whose cells hold several named values; `pattern` has a group for the name and one for the value."""

    column: str
    pattern: re.Pattern[str]
    values: str = ""  # the separator of several values
    only_in_continuation: bool = False


@dataclass(frozen=True)
class Profile:
    """What one maker's columns mean. Columns are named in lower case; a * stands for anything."""

    name: str
    title: str
    needs: Sequence[Sequence[str]]
    fields: Mapping[str, Sequence[str]]
    attributes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    only_inside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    continued_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    pairs: Sequence[Pairs] = ()
    unused: Sequence[str] = ()
    skip_values: Sequence[str] = ()
    picture_folders: Sequence[str] = ()
    category_roots: Sequence[str] = ()
    category_separators: str = ""
    category_is_path: bool = False

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether a feed with these columns may be of this maker."""
        return all(any(find(columns, name) for name in names) for names in self.needs)


NOBODY = Profile("none", "", (), {})


def recognise(columns: Sequence[str], wanted: str) -> Profile | None:
    """The profile of the feed's maker: the one asked for, or with "auto" that which knows most of the columns.

    None where nobody fits, or for "none". Raises BadFeed for an unknown name, and for one that does not fit.
    """
    if wanted == "none":
        return None
    if wanted != "auto":
        if wanted not in profiles():
            raise BadFeed(f"--profile {wanted}: is unknown; there are auto, none, {', '.join(profiles())}")
        return profiles()[wanted]
    fitting = [profile for profile in profiles().values() if profile.fits(columns)]
    return max(fitting, key=lambda profile: len(profile.needs), default=None)


@cache
def profiles() -> dict[str, Profile]:
    """All profiles by name."""
    return {
        path.stem: _profile(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.toml"))
    }


def find(columns: Sequence[str], name: str) -> list[int]:
    """The columns (from 0) of this name, in which a * stands for anything; "_" and " " are one, case does not count."""
    if "*" not in name:
        wanted = comparable(name)
        return [n for n, column in enumerate(columns) if comparable(column) == wanted]
    pattern = _glob(name)
    return [n for n, column in enumerate(columns) if pattern.fullmatch(comparable(column))]


@cache
def _glob(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in comparable(name).split("*")), re.DOTALL)


@cache
def comparable(name: str) -> str:
    """A column's name as it is compared."""
    return " ".join(name.removeprefix("g:").replace("_", " ").casefold().split())


def _profile(name: str, found: dict[str, Any]) -> Profile:
    pairs = [
        Pairs(
            each["column"], re.compile(each["pattern"]), each.get("values", ""), each.get("only_in_continuation", False)
        )
        for each in found.pop("pairs", [])
    ]
    unknown = found["fields"].keys() - set(ROLES)
    if unknown:
        raise BadFeed(f"profiles/{name}.toml: unknown fields {', '.join(sorted(unknown))}")
    return Profile(name=name, pairs=pairs, **found)
