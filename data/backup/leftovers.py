"""Removes temporary files that killed processes left in a home; those of running processes stay."""

import fcntl
import shutil
import time
from contextlib import suppress
from pathlib import Path

from magpie.data.backup.backup import SNAPSHOT_PREFIX
from magpie.data.backup.restore import STAGING_PREFIX
from magpie.data.errors import HomeLocked
from magpie.data.home.locks import lock_home

_ABANDONED_S = 3600.0  # writing a picture takes seconds at most


def remove_leftovers(home: Path) -> None:
    """Removes unfinished files and folders of ended processes; the caller must hold the home's rebuild lock."""
    for staging in home.glob(f"{STAGING_PREFIX}*"):  # a restore would hold the rebuild lock
        shutil.rmtree(staging, ignore_errors=True)
    with suppress(HomeLocked), lock_home(home, "backup"):
        for snapshot in home.glob(f"{SNAPSHOT_PREFIX}*"):
            shutil.rmtree(snapshot, ignore_errors=True)
    for pattern in ("images/*.new", "thumbnails/*/*.new"):
        for picture in home.glob(pattern):
            with suppress(FileNotFoundError):
                if time.time() - picture.stat().st_mtime > _ABANDONED_S:
                    picture.unlink()
    for rejects in home.glob("rejects/*.partial"):
        _remove_unless_locked(rejects)


def _remove_unless_locked(path: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
