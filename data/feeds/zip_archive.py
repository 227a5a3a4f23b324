"""Opens a .zip of one feed and its pictures: the feed is read in place, the pictures are unpacked into the home."""

import shutil
import zipfile
import zlib
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import IO

from magpie.data.errors import BadFeed
from magpie.data.pictures.decode import SUFFIXES, VIDEO_SUFFIXES
from magpie.data.pictures.local_files import MAX_FILE_BYTES

MAX_MEMBERS = 1_000_000
# what reading an archive raises that is cut off, damaged, locked by a password or of an unknown kind
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError, NotImplementedError)
_PICTURES = SUFFIXES | VIDEO_SUFFIXES
MOST_GROWTH = 100  # times a picture's packed size; pictures are packed already


def open_archive(
    stream: IO[bytes], name: str, home: Path, suffixes: tuple[str, ...], stack: ExitStack
) -> tuple[IO[bytes], str, Path | None, int] | None:
    """(feed, its name, the folder of its pictures, its packed size in bytes); None for a workbook, a .zip as well.

    Members that would lie outside the folder, links, and pictures that grow too much are passed over. Raises BadFeed.
    """
    try:
        archive = stack.enter_context(zipfile.ZipFile(stream))
    except DAMAGED as error:
        raise BadFeed(f"{name}: is no whole .zip file ({error})") from error
    members = [member for member in archive.infolist()[:MAX_MEMBERS] if not member.is_dir()]
    names = {member.filename for member in members}
    if "[Content_Types].xml" in names or "content.xml" in names:
        stream.seek(0)
        return None
    feed = _feed_among(members, name, suffixes)
    pictures = [member for member in members if PurePosixPath(member.filename).suffix.lower() in _PICTURES]
    folder = None
    if pictures:
        folder = home.absolute() / "unpacked" / blake2b(name.encode(), digest_size=8).hexdigest()
        for member in pictures:
            _unpack(archive, member, folder)
        folder = folder / PurePosixPath(feed.filename).parent
    try:
        name_in = PurePosixPath(feed.filename).name
        return stack.enter_context(archive.open(feed)), name_in, folder, feed.compress_size
    except DAMAGED as error:
        raise BadFeed(f"{name}: {feed.filename} cannot be unpacked ({error})") from error


def _feed_among(members: list[zipfile.ZipInfo], name: str, suffixes: tuple[str, ...]) -> zipfile.ZipInfo:
    """The one member that is a feed."""
    found = []
    for member in members:
        path = PurePosixPath(member.filename)
        kind = PurePosixPath(path.stem).suffix if path.suffix.lower() in (".gz", ".zst") else path.suffix
        if kind.lower() in suffixes and not any(part.startswith((".", "__MACOSX")) for part in path.parts):
            found.append(member)
    tables = [member for member in found if not member.filename.lower().endswith(".txt")] or found
    if len(tables) > 1:
        listed = ", ".join(member.filename for member in tables[:5])
        raise BadFeed(f"{name}: holds {len(tables)} feeds ({listed}); unpack it, and import them one by one")
    if not tables:
        raise BadFeed(f"{name}: holds no feed; unpack it, and import the folder or the file")
    return tables[0]


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Writes one picture below the folder, unless it is there already."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = member.external_attr >> 16 & 0o170000 == 0o120000
    if path.is_absolute() or ".." in path.parts or is_link or ":" in path.parts[0] or "\0" in member.filename:
        return
    too_large = member.file_size > MAX_FILE_BYTES
    if too_large or member.file_size > 1_000_000 + MOST_GROWTH * member.compress_size:
        return
    target = folder / path
    is_there = target.is_file() and target.stat().st_size == member.file_size
    if is_there and zlib.crc32(target.read_bytes()) == member.CRC:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with archive.open(member) as packed, partial.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
        partial.replace(target)
    except DAMAGED:
        partial.unlink(missing_ok=True)  # the picture counts as missing
