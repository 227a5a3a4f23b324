"""Reads a folder of pictures as a feed: each is an item with its file name as title, its subfolders as category."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from magpie.data.errors import BadFeed
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.table import Table
from magpie.data.pictures.decode import SUFFIXES, VIDEO_SUFFIXES

_TAKEN = SUFFIXES | VIDEO_SUFFIXES
_SEPARATORS = re.compile(r"[\s_\-+.]+|%20")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def put_pictures(folder: Path, table: Table, position: FeedPosition) -> None:
    """Puts a row for each picture under the folder into the table, by path; their lines are running numbers from 1.

    Raises BadFeed where there are no pictures.
    """
    paths = sorted(_walk(folder))
    if not paths:
        raise BadFeed(f"{folder}: holds no pictures ({', '.join(sorted(_TAKEN))}), and no feed")
    done = 0
    position.follow(len(paths), lambda: done)
    table.set_columns(["id", "title", "category", "image"])
    for done, path in enumerate(paths, 1):
        *subfolders, name = path.split("/")
        category = " > ".join(readable(part) for part in subfolders)
        table.add_cells(done, [path, readable(name.rsplit(".", 1)[0]), category, path])


def holds_pictures(folder: Path) -> bool:
    """Whether there is a picture in the folder or below."""
    return next(_walk(folder), None) is not None


def readable(name: str) -> str:
    """The words of a file or folder name: "red shoes 02" of "red-shoes_02", "Red Shoes02" of "RedShoes02"."""
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", name)).strip()


def _walk(folder: Path) -> Iterator[str]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _TAKEN:  # noqa: PTH122
                yield os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")  # noqa: PTH118
