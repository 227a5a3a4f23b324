"""Pictures that people search by, kept for a while in memory that all workers of a server share, never on a disk."""

import mmap
import struct
import time
from dataclasses import dataclass

from magpie.web.shared.memory import SharedLock

KEEP_S = 3600
MAX_KEPT = 200
MAX_BYTES = 1_000_000  # of one picture; a JPEG of 640 x 640 pixels of noise has half of that
NAME_BYTES = 16
_ENTRY = struct.Struct(f"={NAME_BYTES}sdIII")  # name, since when (monotonic), width, height, bytes
_TABLE_BYTES = MAX_KEPT * _ENTRY.size


@dataclass(frozen=True)
class Upload:
    """A kept picture: JPEG bytes, and its size in pixels."""

    content: bytes
    width: int
    height: int


class UploadMemory:
    """At most MAX_KEPT pictures by name, each for KEEP_S at most. Only what was ever filled takes memory."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _TABLE_BYTES + MAX_KEPT * MAX_BYTES)
        self._lock = SharedLock()

    def put(self, name: str, upload: Upload) -> None:
        """Keeps the picture in the place of the oldest. Raises ValueError for one of more than MAX_BYTES."""
        size = len(upload.content)
        if size > MAX_BYTES:
            raise ValueError(f"a picture of {size:,} bytes; at most {MAX_BYTES:,} are kept")
        entry = _ENTRY.pack(name.encode("ascii"), time.monotonic(), upload.width, upload.height, size)
        with self._lock.held():
            place = min(range(MAX_KEPT), key=lambda place: self._entry(place)[1])
            start = _content_start(place)
            self._memory[start : start + size] = upload.content
            self._memory[place * _ENTRY.size : (place + 1) * _ENTRY.size] = entry

    def get(self, name: str) -> Upload | None:
        """The picture of this name, None where it is not kept any longer."""
        wanted = name.encode("utf-8")
        if len(wanted) != NAME_BYTES:
            return None
        with self._lock.held():
            for place in range(MAX_KEPT):
                kept, since, width, height, size = self._entry(place)
                if size and kept == wanted and since >= time.monotonic() - KEEP_S:
                    start = _content_start(place)
                    return Upload(self._memory[start : start + size], width, height)
        return None

    def _entry(self, place: int) -> tuple[bytes, float, int, int, int]:
        name, since, width, height, size = _ENTRY.unpack_from(self._memory, place * _ENTRY.size)
        return name, since, width, height, size


def _content_start(place: int) -> int:
    return _TABLE_BYTES + place * MAX_BYTES
