"""Reads a folder of pictures as a feed: each is an item with its file name as title, its subfolders as category."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed, BadItem
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.row_to_draft import Reject, reject
from magpie.data.pictures.decode import SUFFIXES, VIDEO_SUFFIXES

_TAKEN = SUFFIXES | VIDEO_SUFFIXES
_SEPARATORS = re.compile(r"[\s_\-+.]+|%20")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_folder(folder: Path, position: FeedPosition) -> Iterator[ItemDraft | Reject]:
    """The drafts and rejections of all pictures under the folder, by path; their lines are running numbers from 1.

    Raises BadFeed where there are no pictures.
    """
    paths = sorted(_walk(folder))
    if not paths:
        raise BadFeed(f"{folder}: holds no pictures ({', '.join(sorted(_TAKEN))})")
    done = 0
    position.follow(len(paths), lambda: done)
    for done, path in enumerate(paths, 1):
        *subfolders, name = path.split("/")
        draft = ItemDraft(
            item_id=path,
            title=readable(name.rsplit(".", 1)[0]),
            category=" > ".join(readable(part) for part in subfolders),
            pictures=(path,),
            line=done,
        )
        try:
            draft.canonical  # noqa: B018  (raises BadItem for what cannot be stored)
        except BadItem as error:
            yield reject(done, str(error), path)
        else:
            yield draft


def readable(name: str) -> str:
    """The words of a file or folder name: "red shoes 02" of "red-shoes_02", "Red Shoes02" of "RedShoes02"."""
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", name)).strip()


def _walk(folder: Path) -> Iterator[str]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _TAKEN:  # noqa: PTH122
                yield os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")  # noqa: PTH118
