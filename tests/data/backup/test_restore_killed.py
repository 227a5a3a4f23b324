"""A restore that is killed while it exchanges the home's content: the home is the old or the new one, never half."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from magpie.data.backup.backup import back_up
from magpie.data.backup.restore import restore
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.home.restore_journal import is_decided
from magpie.data.settings import Settings


def quiet(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


def fill(settings: Settings, name: str) -> None:
    """A home that holds one item and one more file, both of this name."""
    database = open_database(settings)
    Catalogue(database, settings).upsert([ItemDraft(name, name)], settings.home)
    database.close()
    (settings.home / "images").mkdir()
    (settings.home / "images" / name).write_text(name)


def restore_until(settings: Settings, file: Path, renames: int) -> None:
    """Restores in this process, which is killed instead of renaming a file for the n-th time."""
    original: Callable[..., Path] = Path.rename
    done = 0

    def rename(path: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done > renames:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(path, target)

    Path.rename = rename  # type: ignore[method-assign]
    restore(settings, file, True, quiet)


@pytest.fixture
def former_and_backup(tmp_path: Path) -> tuple[Settings, Path]:
    saved, former = Settings(home=tmp_path / "saved"), Settings(home=tmp_path / "home")
    fill(saved, "new")
    fill(former, "old")
    back_up(saved, tmp_path / "magpie.tar", quiet)
    return former, tmp_path / "magpie.tar"


def test_a_home_is_never_half_restored(former_and_backup: tuple[Settings, Path]) -> None:
    settings, file = former_and_backup
    for renames in range(4):  # images and magpie.db, out and in
        process = get_context("fork").Process(target=restore_until, args=(settings, file, renames))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL and is_decided(settings.home)
        database = open_database(settings)
        assert [item.item_id for items in Catalogue(database, settings).scan() for item in items] == ["new"]
        database.close()
        assert [path.name for path in (settings.home / "images").iterdir()] == ["new"]
        assert not is_decided(settings.home) and not list(settings.home.glob(".restoring-*"))
        aside = max(settings.home.glob(".before-restore-*"), key=lambda path: path.stat().st_mtime_ns)
        assert sorted(path.name for path in aside.iterdir())[0] == "images"
