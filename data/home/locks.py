"""Locks of a home, for work of which only one may run at a time: serving, rebuild, migration, backup."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from magpie.data.errors import BadSetting, HomeLocked

SERVING = "serving"


@contextmanager
def lock_home(home: Path, work: str, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the lock named `work` of this home until the block ends; the system frees it if the process dies.

    Waits up to `wait_s` seconds for another holder, then raises HomeLocked with the holder's process id.
    Raises BadSetting where the home cannot be written.
    """
    path = home / f".{work}.lock"
    try:
        home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BadSetting(f"{home}: cannot be written ({error.strerror}); give another folder with --home") from error
    try:
        _acquire(descriptor, path, work, time.monotonic() + wait_s)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(home: Path, work: str) -> bool:
    """Whether somebody holds the lock named `work` of this home just now."""
    try:
        with lock_home(home, work):
            return False
    except HomeLocked:
        return True


def _acquire(descriptor: int, path: Path, work: str, deadline: float) -> None:
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() >= deadline:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace") or "unknown"
            raise HomeLocked(f"{path.parent}: process {holder} is busy with {work}; wait until it ends, or stop it")
        time.sleep(0.05)
