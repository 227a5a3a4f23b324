"""Keeps what an import rejected as JSON lines {"line", "reason", "row"}, with notes on accepted rows."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO


class RejectsFile:
    """Appends entries; the file comes into being with the first one."""

    def __init__(self, folder: Path, name: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        self._target = folder / f"{name[:80]}-{stamp}-{os.getpid()}.jsonl"
        self._partial = self._target.with_suffix(".partial")
        self._stream: TextIO | None = None
        self.path: Path | None = None

    def add(self, line: int, reason: str, **details: object) -> None:
        """One entry about the row that starts at this line."""
        if self._stream is None:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._partial.open("w", encoding="utf-8", errors="backslashreplace")
            fcntl.flock(self._stream, fcntl.LOCK_EX)  # says that somebody is still writing (data/backup/leftovers.py)
        self._stream.write(json.dumps({"line": line, "reason": reason, **details}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Puts the file in its place; `path` is then its path, None if there was nothing to keep."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self.path = self._partial.replace(self._target)


@contextmanager
def rejects_file(folder: Path, name: str) -> Iterator[RejectsFile]:
    """A rejects file that is in its place when the block ends, also when it ends early."""
    rejects = RejectsFile(folder, name)
    try:
        yield rejects
    finally:
        rejects.close()
