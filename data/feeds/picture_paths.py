"""Recognises pictures in cells, splits several of them, and finds the folder that their paths start from."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from magpie.data.errors import BadFeed
from magpie.data.feeds.nested_values import flatten, parse_cell
from magpie.data.pictures.local_files import is_address

_ENDING = re.compile(
    r"\.(jpe?g|png|webp|gif|bmp|tiff?|avif|mp4|m4v|mov|webm|mkv|avi)(\?\S*|#\S*|@\S*)?$", re.IGNORECASE
)
# where shops' picture hosts keep what has no ending
_PLACE = re.compile(
    r"^https?://\S*(/image|/img|/picture|/photo|/media|/thumb|/full/|images?\.|img\.|cdn|photos?\.|pics?\.|static)\S*$",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"\s*[,;\n\r]+\s*")
_FIELD = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
MAX_FOLDERS = 200


def looks_like_picture(text: str) -> bool:
    """Whether the first of what a cell names ends like a picture, or is an address where pictures are kept."""
    first = next(iter(split_pictures(text)), "") if text[:1] != "<" else ""
    return bool(_ENDING.search(first)) and len(first) < 2_000


def is_picture(text: str) -> bool:
    """Whether a cell of a column that is named like pictures holds some: an address will do."""
    first = next(iter(split_pictures(text)), "")
    return bool(_ENDING.search(first) or is_address(first) or first.startswith("//"))


def split_pictures(cell: str) -> list[str]:
    """The picture paths and addresses of one cell: joined by bars, by commas, semicolons or lines, or a JSON list."""
    if "[" in cell[:1] or "{" in cell[:1]:
        found = parse_cell(cell)
        if found is not None:
            flat = flatten({"images": found})
            return [
                text
                for value in flat.values()
                for text in (value if isinstance(value, list) else [value])
                if isinstance(text, str) and text
            ]
    pictures: list[str] = []
    for piece in cell.split("|"):
        if not (piece := piece.strip()):
            continue
        parts = [part for part in _SEPARATORS.split(piece) if part] if _SEPARATORS.search(piece) else [piece]
        pictures += parts if len(parts) > 1 and _are_pictures(parts) else [piece]
    return pictures


def _are_pictures(parts: Sequence[str]) -> bool:
    if any(is_address(part) for part in parts):
        return all(is_address(part) for part in parts)  # an address may hold commas itself
    return all(_ENDING.search(part) for part in parts)


def find_folder(root: Path, samples: Sequence[str], known: Sequence[str]) -> str:
    """The folder below `root` that most of these paths start from, "" for the root itself.

    Looked for where the paths are not there: in `known` folders, then in those of the root, two deep.
    """
    paths = [path.lstrip("/") for path in samples if not is_address(path) and "://" not in path][:50]
    if not paths:
        return ""
    here = num_there(root, "", paths)
    if here >= len(paths) / 2:
        return ""
    folders = [folder for folder in known if folder]
    folders += list(_folders(root))
    found = Counter({folder: num_there(root, folder, paths) for folder in folders[:MAX_FOLDERS]})
    best, number = found.most_common(1)[0] if found else ("", 0)
    return best if number > here else ""


def num_there(root: Path, folder: str, paths: Sequence[str]) -> int:
    """How many of the paths lead to a file below the folder."""
    return sum(len(path) < 1_000 and os.path.isfile(f"{root}/{folder}/{path}") for path in paths)  # noqa: PTH113


def _folders(root: Path) -> Iterator[str]:
    try:
        first = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return
    yield from first
    for name in first[:50]:
        try:
            inner = sorted(
                entry.name for entry in os.scandir(root / name) if entry.is_dir() and not entry.name.startswith(".")
            )
        except OSError:
            continue
        yield from (f"{name}/{each}" for each in inner[:50])


def placed(path: str, folder: str) -> str:
    """The path as it is looked up: below the folder, and below the root where it begins with a slash."""
    if path.startswith("//"):
        return f"https:{path}"
    if is_address(path):
        return path
    return f"{folder}/{path.lstrip('/')}" if folder else path


def fill_pattern(pattern: str, columns: Sequence[str], item_id: str, cells: Callable[[str], object]) -> list[str]:
    """The paths that a pattern such as "images/{id:03}.png" gives for a row; a list gives one path for each value.

    Raises BadFeed for a column that is not there.
    """
    lists: dict[str, list[object]] = {}
    for match in _FIELD.finditer(pattern):
        name = match[1].strip()
        if name != "id" and name not in columns:
            raise BadFeed(f"--picture-pattern: no column {name!r}")
        value = item_id if name == "id" else cells(name)
        lists[name] = value if isinstance(value, list) else [value]
    longest = max((len(values) for values in lists.values()), default=1)
    paths = []
    for n in range(longest):
        row = {name: values[n] if n < len(values) else values[0] if values else None for name, values in lists.items()}
        if all(value not in (None, "") for value in row.values()):
            paths.append(_FIELD.sub(partial(_formatted, row), pattern))
    return paths


def _formatted(row: Mapping[str, object], match: "re.Match[str]") -> str:
    value, spec = row[match[1].strip()], match[2] or ""
    text = str(value).strip()
    try:
        return format(int(text), spec) if spec and text.isdecimal() else format(text, spec)
    except ValueError:
        return text
