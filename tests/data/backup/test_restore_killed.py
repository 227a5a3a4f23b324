"""A restore that is killed while it fills the home: nobody takes half a home for a whole one."""

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
from magpie.data.errors import Conflict
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
    restore(settings, file, quiet)


@pytest.fixture
def empty_and_backup(tmp_path: Path) -> tuple[Settings, Path]:
    saved = Settings(home=tmp_path / "saved")
    fill(saved, "new")
    back_up(saved, tmp_path / "magpie.tar", quiet)
    return Settings(home=tmp_path / "home"), tmp_path / "magpie.tar"


@pytest.mark.parametrize("renames", range(3))  # of the folder, of images and of magpie.db
def test_nobody_takes_a_half_restored_home_for_a_whole_one(
    empty_and_backup: tuple[Settings, Path], renames: int
) -> None:
    settings, file = empty_and_backup
    process = get_context("fork").Process(target=restore_until, args=(settings, file, renames))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    if renames:
        with pytest.raises(Conflict, match="restore FILE` once more"):
            open_database(settings)
    restore(settings, file, quiet)
    assert [path.name for path in (settings.home / "images").iterdir()] == ["new"]
    assert not list(settings.home.glob(".restoring-*"))
    database = open_database(settings)
    assert [item.item_id for items in Catalogue(database, settings).scan() for item in items] == ["new"]
    database.close()


def test_what_an_earlier_version_left_unfinished_is_told_and_kept(empty_and_backup: tuple[Settings, Path]) -> None:
    settings, file = empty_and_backup
    for folder in (".restoring-abc", ".before-restore-20261101T000000-abc"):
        (settings.home / folder).mkdir(parents=True)
        (settings.home / folder / "magpie.db").write_text(folder)
    (settings.home / ".restore-plan.json").write_text("{}")
    with pytest.raises(Conflict, match=r"earlier version was killed.*another --home"):
        open_database(settings)
    with pytest.raises(Conflict, match=r"earlier version was killed"):
        restore(settings, file, quiet)
    for folder in (".restoring-abc", ".before-restore-20261101T000000-abc"):
        assert (settings.home / folder / "magpie.db").read_text() == folder
    assert not (settings.home / "magpie.db").exists()
