"""Memory that the processes of one server share: made before they are forked, gone with the last of them."""

import fcntl
import json
import mmap
import os
import struct
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class SharedLock:
    """Held by one thread of one process at a time; the system frees it where the process dies."""

    def __init__(self) -> None:
        self._file, name = tempfile.mkstemp(prefix="magpie-lock-")
        Path(name).unlink()
        weakref.finalize(self, os.close, self._file)
        self._among_threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock, and holds it until the block ends."""
        with self._among_threads:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)


class SharedTexts:
    """A list of texts that one process writes and all read; what is beyond SIZE_BYTES of JSON is left out."""

    SIZE_BYTES = 16_384
    _LENGTH = struct.Struct("=I")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self.SIZE_BYTES)
        self._lock = SharedLock()

    def write(self, texts: Sequence[str]) -> None:
        """Puts these in the place of those before."""
        kept = list(texts)
        while len(said := json.dumps(kept).encode()) > self.SIZE_BYTES - self._LENGTH.size:
            kept.pop()
        with self._lock.held():
            self._memory[: self._LENGTH.size + len(said)] = self._LENGTH.pack(len(said)) + said

    def read(self) -> list[str]:
        """Those that were written last."""
        with self._lock.held():
            (length,) = self._LENGTH.unpack_from(self._memory)
            said = self._memory[self._LENGTH.size : self._LENGTH.size + length]
        return list(json.loads(said)) if said else []
