"""The embedding cache keeps vectors, notices damage, and survives being killed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.encoder.embedding_cache import EmbeddingCache

KEYS = [f"{k:032x}" for k in range(1200)]
VECTORS = np.random.default_rng(0).standard_normal((1200, 8)).astype(np.float16).astype(np.float32)


def filled(folder: Path) -> EmbeddingCache:
    cache = EmbeddingCache(folder, "abc", 8)
    cache.put_many(KEYS, VECTORS)
    return cache


def test_what_goes_in_comes_out_after_reopening(tmp_path: Path) -> None:
    filled(tmp_path).close()
    cache = EmbeddingCache(tmp_path, "abc", 8)
    found = cache.get_many(KEYS)
    np.testing.assert_array_equal(np.stack([found[k] for k in KEYS]), VECTORS)
    assert cache.missing([*KEYS[:3], "ff" * 16, "ff" * 16]) == ["ff" * 16]
    cache.close()


def test_a_flipped_bit_makes_that_vector_missing(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with sqlite3.connect(tmp_path / "abc.db") as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(16) WHERE key = ?", [bytes.fromhex(KEYS[5])])
    connection.close()
    cache = EmbeddingCache(tmp_path, "abc", 8)
    assert cache.missing(KEYS) == [KEYS[5]]
    cache.close()


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "abc.db").write_bytes(b"not a database" * 100)
    cache = filled(tmp_path)
    assert len(cache.get_many(KEYS)) == len(KEYS)
    assert (tmp_path / "abc.damaged").exists()
    cache.close()


def test_ignoring_old_vectors_encodes_everything_once(tmp_path: Path) -> None:
    filled(tmp_path).close()
    cache = EmbeddingCache(tmp_path, "abc", 8, ignore_old=True)
    assert cache.missing(KEYS) == KEYS
    cache.put_many(KEYS[:2], VECTORS[:2])
    assert cache.missing(KEYS[:3]) == KEYS[2:3]
    cache.close()


def test_a_damaged_tree_is_found_before_anything_relies_on_it(tmp_path: Path) -> None:
    keys = [f"{n:032x}" for n in range(3_000)]
    cache = EmbeddingCache(tmp_path, "f", 8)
    cache.put_many(keys, np.ones((3_000, 8), np.float32))
    cache.close()
    data = bytearray(cache.path.read_bytes())
    data[4096 * 5 : 4096 * 9] = bytes(4096 * 4)
    cache.path.write_bytes(data)
    again = EmbeddingCache(tmp_path, "f", 8)
    assert again.missing(keys) == keys and again.path.with_suffix(".damaged").exists()
    again.put_many(keys, np.ones((3_000, 8), np.float32))
    assert not again.missing(keys)
    again.close()


def test_a_busy_cache_is_not_taken_for_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EmbeddingCache(tmp_path, "f", 2).close()
    path = tmp_path / "f.db"
    monkeypatch.setattr("magpie.indexer.encoder.embedding_cache._BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            EmbeddingCache(tmp_path, "f", 2)
        other.execute("ROLLBACK")
    assert path.exists() and not path.with_suffix(".damaged").exists()
