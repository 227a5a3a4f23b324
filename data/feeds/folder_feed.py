"""A folder of pictures as a feed: every picture an item, named by its file, its subfolders the category."""

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
    """The drafts of all pictures under the folder, in order of their paths; their lines are running numbers.

    Raises BadFeed where there is none.
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
    """The words of a file or folder name: "red-shoes_02" and "RedShoes02" read "red shoes 02" and "Red Shoes02"."""
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", name)).strip()


def _walk(folder: Path) -> Iterator[str]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _TAKEN:  # noqa: PTH122
                yield os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")  # noqa: PTH118
