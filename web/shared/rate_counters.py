"""How often each address, token and client came, in memory that all workers share: a storage for `limits`."""

import mmap
import secrets
import struct
import time
from hashlib import blake2b
from typing import Any

from limits.storage import Storage

from magpie.web.shared.memory import SharedLock


class SharedCounters(Storage):
    """Fixed windows for `limits`, in memory that all workers share: hits by key, and when each window ends (monotonic).

    A table of BUCKETS x WAYS entries by a keyed hash. Where a bucket is full of windows that go on, the one with the
    fewest hits is forgotten: counting costs the same however many come.
    """

    STORAGE_SCHEME = ["magpie-shared"]  # noqa: RUF012  (the library's own declaration)
    BUCKETS, WAYS = 8_192, 8
    _ENTRY = struct.Struct("=QQd")  # the key's hash, hits, the window's end

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._memory = mmap.mmap(-1, self.BUCKETS * self.WAYS * self._ENTRY.size)
        self._secret = secrets.token_bytes(16)  # else strangers could choose names that fall into one bucket
        self._lock = SharedLock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Counts these hits; how many there are in the window, which is begun where none goes on."""
        digest, now = self._digest(key), time.monotonic()
        with self._lock.held():
            entries = self._bucket(digest)
            place, hits, end = next((e for e in entries if self._is_of(e, digest, now)), (-1, 0, now + expiry))
            if place < 0:
                place = min(entries, key=lambda entry: (entry[2] > now, entry[1]))[0]
            self._ENTRY.pack_into(self._memory, place, digest, hits + amount, end)
        return hits + amount

    def get(self, key: str) -> int:
        """Hits in the window that goes on."""
        return self._found(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the window ends, now where none goes on."""
        return self._found(key)[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock.held():
            self._memory[:] = bytes(len(self._memory))
        return self.BUCKETS * self.WAYS

    def clear(self, key: str) -> None:
        digest, now = self._digest(key), time.monotonic()
        with self._lock.held():
            for entry in self._bucket(digest):
                if self._is_of(entry, digest, now):
                    self._ENTRY.pack_into(self._memory, entry[0], 0, 0, 0.0)

    def _found(self, key: str) -> tuple[int, float]:
        digest, now = self._digest(key), time.monotonic()
        with self._lock.held():
            found = [entry for entry in self._bucket(digest) if self._is_of(entry, digest, now)]
        return (found[0][1], found[0][2]) if found else (0, now)

    def _digest(self, key: str) -> int:
        return int.from_bytes(blake2b(key.encode(), key=self._secret, digest_size=8).digest(), "little")

    def _bucket(self, digest: int) -> list[tuple[int, int, float]]:
        """(place in the memory, hits, end of the window) of the entries where this key may stand."""
        size = self._ENTRY.size
        first = digest % self.BUCKETS * self.WAYS * size
        places = range(first, first + self.WAYS * size, size)
        return [(place, *self._ENTRY.unpack_from(self._memory, place)[1:]) for place in places]

    def _is_of(self, entry: tuple[int, int, float], digest: int, now: float) -> bool:
        (of_key,) = struct.unpack_from("=Q", self._memory, entry[0])
        return bool(of_key == digest and entry[2] > now)
