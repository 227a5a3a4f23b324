"""Looks up the picture files that a feed names: found inside its folder, hashed, checked."""

# os.path: pathlib takes several times as long, and a feed has a path a row
# ruff: noqa: PTH118, PTH116, PTH114

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from magpie.data.errors import BadPicture, TooLarge
from magpie.data.pictures.decode import decode_coarsely, is_video, verify_picture
from magpie.data.pictures.sandbox import PictureSandbox

MAX_FILE_BYTES = 200_000_000


@dataclass(frozen=True)
class PictureFile:
    """One picture file; a missing or broken one has no content hash, and a `reason`."""

    path: str  # absolute
    size_bytes: int
    mtime_ns: int
    content_hash: str
    width: int
    height: int
    status: str
    reason: str = ""


FetchAll = Callable[[Iterable[str]], dict[str, Path | str]]  # by address the picture's file, or why there is none


def is_address(given: str) -> bool:
    """Whether a picture is given by an http(s) URL."""
    return given[:8].lower().startswith(("http://", "https://"))


def refuse_addresses(given: Iterable[str]) -> dict[str, Path | str]:
    """The reason, for each URL, why no picture is fetched: no hosts are set."""
    return dict.fromkeys(given, "is not fetched: MAGPIE_PICTURE_HOSTS names no hosts")


class PictureRoot:
    """The folder that picture paths are relative to and may not leave."""

    def __init__(
        self, root: Path, max_pixels: int, decoder: PictureSandbox, fetch: FetchAll = refuse_addresses
    ) -> None:
        self.root = os.path.realpath(root)
        self._inside = self.root.rstrip(os.sep) + os.sep
        self._max_pixels = max_pixels
        self._decoder = decoder
        self._real_folders: dict[str, str] = {}
        self._fetch = fetch
        self._fetched: dict[str, Path | str] = {}

    def fetch(self, given: Iterable[str]) -> None:
        """Fetches the pictures that are given by URL, before `look_up`."""
        self._fetched = self._fetch(one for one in given if is_address(one))

    def look_up(self, given: str, known: Mapping[str, PictureFile]) -> PictureFile:
        """The picture at this path or URL; read again only if its size or time differ from the `known` file's."""
        if is_address(given):
            file = self._fetched.get(given, "was not fetched")
            return self._look_at(str(file), known) if isinstance(file, Path) else _absent(given, file)
        path = self._resolve(given)
        if path is None:
            return _absent(os.path.join(self.root, given), "lies outside the folder of pictures (--images)")
        return self._look_at(path, known)

    def _look_at(self, path: str, known: Mapping[str, PictureFile]) -> PictureFile:
        try:
            facts = os.stat(path)
        except (OSError, ValueError) as error:
            return _absent(path, "is not there" if isinstance(error, FileNotFoundError) else str(error))
        if not stat.S_ISREG(facts.st_mode):
            return _absent(path, "is not a file")
        before = known.get(path)
        if before and (before.size_bytes, before.mtime_ns) == (facts.st_size, facts.st_mtime_ns):
            return before
        return self._read(path, facts)

    def _resolve(self, given: str) -> str | None:
        """The absolute path with symbolic links resolved; None where it is outside the root."""
        if "://" in given or "\0" in given:
            return None
        folder, _, name = (given if given[:1] == os.sep else self._inside + given).rpartition(os.sep)
        if name in ("", ".", ".."):
            return None
        # resolving link by link costs more than all the rest; the pictures of a feed share few folders
        real = self._real_folders.get(folder)
        if real is None:
            real = self._real_folders[folder] = os.path.realpath(folder or os.sep).rstrip(os.sep)
        path = f"{real}{os.sep}{name}"
        if os.path.islink(path):
            path = os.path.realpath(path)
        return path if path.startswith(self._inside) else None

    def _read(self, path: str, facts: os.stat_result) -> PictureFile:
        found = (path, facts.st_size, facts.st_mtime_ns)
        if facts.st_size > MAX_FILE_BYTES:
            return PictureFile(*found, "", 0, 0, "broken", f"is larger than {MAX_FILE_BYTES:,} bytes")
        try:
            data = Path(path).read_bytes()
            if is_video(Path(path)):
                from magpie.data.pictures.videos import verify_video  # brings ffmpeg, which few catalogues need

                width, height = self._decoder.run(path, verify_video, Path(path), self._max_pixels)
            else:
                width, height = verify_picture(data, path, self._max_pixels, self._decode)
        except (BadPicture, TooLarge) as error:
            return PictureFile(*found, "", 0, 0, "broken", str(error).removeprefix(f"{path}: "))
        except OSError as error:
            return _absent(path, f"cannot be read ({error.strerror})")
        return PictureFile(*found, blake2b(data, digest_size=16).hexdigest(), width, height, "ok")

    def _decode(self, data: bytes, name: str, max_pixels: int) -> None:
        self._decoder.run(name, decode_coarsely, data, name, max_pixels)


def _absent(path: str, reason: str) -> PictureFile:
    # surrogates stand for bytes of a file name that are no text, which no database takes
    return PictureFile(path.encode("utf-8", "replace").decode(), 0, 0, "", 0, 0, "missing", reason)
