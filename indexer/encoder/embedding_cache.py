"""Caches vectors by the content hash of their text or picture, so that a rebuild encodes only what changed.

The dominant colour of a picture is stored beside its vector. There is one SQLite file for each encoder fingerprint
under `embeddings/`. Vectors are stored as float16 with a checksum each; a damaged vector counts as absent and a damaged
file is moved aside, so a fault costs encoding again and nothing more.
"""

import logging
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

_LOOKUP_BATCH = 5_000
_BUSY_TIMEOUT_S = 30.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
log = logging.getLogger(__name__)


class _DamagedFile(sqlite3.DatabaseError):
    """SQLite's quick check found the file damaged."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class EmbeddingCache:
    """Maps keys (hexadecimal content hashes) to vectors of one encoder. For one thread.

    With `ignore_old`, only vectors that this object stored count as present.
    """

    def __init__(self, folder: Path, fingerprint: str, dim: int, ignore_old: bool = False) -> None:
        self._fresh: set[str] | None = set() if ignore_old else None
        self.path = folder / f"{fingerprint}.db"
        self.dim = dim
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._connect()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in _DAMAGED:  # busy or a full disk: the file is sound
                raise
            log.warning("%s is damaged and set aside; what it held is encoded anew", self.path)
            self._set_aside()
            self._connection = self._connect()

    def _set_aside(self) -> None:
        self.path.replace(self.path.with_suffix(".damaged"))
        for name in ("-wal", "-shm"):
            self.path.with_name(self.path.name + name).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, checksum INTEGER, vector BLOB) WITHOUT ROWID"
            )
            connection.execute("CREATE TABLE IF NOT EXISTS tints (key BLOB PRIMARY KEY, tint BLOB) WITHOUT ROWID")
            # a damaged tree would be found while vectors are written, when it is too late to do without it
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _DamagedFile(f"{self.path} is damaged")
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def get_many(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The cached vectors by key, (dim,) float32 each; absent and damaged ones are left out."""
        found: dict[str, np.ndarray] = {}
        keys = keys if self._fresh is None else [k for k in keys if k in self._fresh]
        for start in range(0, len(keys), _LOOKUP_BATCH):
            blobs = [bytes.fromhex(k) for k in keys[start : start + _LOOKUP_BATCH]]
            marks = ",".join("?" * len(blobs))
            statement = f"SELECT key, checksum, vector FROM vectors WHERE key IN ({marks})"
            sound = {
                key.hex(): blob
                for key, checksum, blob in self._read(statement, blobs)
                if len(blob) == 2 * self.dim and zlib.crc32(blob) == checksum
            }
            vectors = np.frombuffer(b"".join(sound.values()), np.float16).astype(np.float32)
            found.update(zip(sound, vectors.reshape(-1, self.dim), strict=True))
        return found

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The distinct keys without a cached, undamaged vector, in order."""
        distinct = list(dict.fromkeys(keys))
        present = {
            key for start in range(0, len(distinct), 20_000) for key in self.get_many(distinct[start : start + 20_000])
        }
        return [key for key in distinct if key not in present]

    def get_dominant_colours(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """The cached dominant colours by key, (3,) uint8 red, green and blue each; absent ones are left out."""
        found: dict[str, np.ndarray] = {}
        for start in range(0, len(keys), _LOOKUP_BATCH):
            blobs = [bytes.fromhex(k) for k in keys[start : start + _LOOKUP_BATCH]]
            statement = f"SELECT key, tint FROM tints WHERE key IN ({','.join('?' * len(blobs))})"
            read = self._read(statement, blobs)
            found.update({key.hex(): np.frombuffer(tint, np.uint8) for key, tint in read if len(tint) == 3})
        return found

    def put_dominant_colours(self, keys: Sequence[str], tints: np.ndarray) -> None:
        """Stores (n, 3) uint8 colours in one transaction; of rows with the same key, the first."""
        rows = [(bytes.fromhex(key), tint.tobytes()) for key, tint in zip(keys, tints, strict=True)]
        with self._connection:  # backwards, so that the first comes last and stays
            self._connection.executemany("INSERT OR REPLACE INTO tints VALUES (?, ?)", rows[::-1])

    def put_many(self, keys: Sequence[str], vectors: np.ndarray) -> None:
        """Stores (n, dim) vectors as float16 in one transaction, replacing those with the same keys."""
        rows = []
        for key, vector in zip(keys, np.asarray(vectors, np.float16), strict=True):
            blob = vector.tobytes()
            rows.append((bytes.fromhex(key), zlib.crc32(blob), blob))
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
        if self._fresh is not None:
            self._fresh.update(keys)

    def _read(self, statement: str, values: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        try:
            with closing(self._connection.execute(statement, values)) as cursor:
                yield from cursor
        except sqlite3.DatabaseError:  # a damaged page: what it held is encoded again
            return

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
