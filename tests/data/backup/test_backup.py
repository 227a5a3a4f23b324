"""Backup and restore: consistent while the home is used, checked, and never in the way of what is there."""

import signal
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from magpie.data.backup.backup import MANIFEST, SNAPSHOT_PREFIX, back_up
from magpie.data.backup.restore import restore
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.errors import BackupBroken, BadSetting, Conflict, DatabaseTooNew, HomeLocked
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id, verify_current
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from tests.support.serving import COMMAND


def quiet(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


@pytest.fixture
def elsewhere(own_shop: Settings, tmp_path: Path) -> Settings:
    return own_shop.model_copy(update={"home": tmp_path / "restored"})


@pytest.fixture
def backup(own_shop: Settings, tmp_path: Path) -> Path:
    file = tmp_path / "magpie.tar"
    back_up(own_shop, file, quiet)
    return file


def titles(settings: Settings) -> list[str]:
    database = open_database(settings)
    found = [item.title for items in Catalogue(database, settings).scan() for item in items]
    database.close()
    return found


def test_a_restored_home_answers_as_the_one_that_was_backed_up(
    own_shop: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    (own_shop.home / "golden").mkdir()
    (own_shop.home / "golden" / "queries.jsonl").write_text("{}")
    (own_shop.home / "rankers" / "000001-x").mkdir(parents=True)
    (own_shop.home / "rankers" / "000001-x" / "trees-0.txt").write_text("trees")
    report = back_up(own_shop, tmp_path / "magpie.tar", quiet)
    restored = restore(elsewhere, tmp_path / "magpie.tar", quiet)
    assert (restored.files, report.left_out) == (report.files, [])
    assert titles(elsewhere) == titles(own_shop)
    assert verify_current(elsewhere)["generation"] == current_id(own_shop)
    assert (elsewhere.home / "golden" / "queries.jsonl").read_text() == "{}"
    assert (elsewhere.home / "rankers" / "000001-x" / "trees-0.txt").read_text() == "trees"
    database = open_database(elsewhere)
    hits = SearchEngine(elsewhere, database).search(SearchRequest(text="red ball")).hits
    assert hits[0].item_id == "ball-red"
    assert rebuild(elsewhere, database).pictures_encoded == 0  # the cache came along
    database.close()


def test_pictures_that_lie_in_the_home_are_found_in_the_new_one(
    own_shop: Settings, elsewhere: Settings, picture
) -> None:
    own_shop.images_dir.mkdir()
    mine = own_shop.images_dir.absolute() / "abc"
    mine.write_bytes(picture("p.png").read_bytes())
    database = open_database(own_shop)
    Catalogue(database, own_shop).upsert([ItemDraft("mine", "Mine", pictures=(str(mine),))], Path("/"))
    database.close()
    file = own_shop.home.parent / "magpie.tar"
    back_up(own_shop, file, quiet)
    restore(elsewhere, file, quiet)
    database = open_database(elsewhere)
    catalogue = Catalogue(database, elsewhere)
    assert catalogue.get("mine").pictures[0].path == elsewhere.home.absolute() / "images" / "abc"
    assert catalogue.get("mine").pictures[0].path.is_file()
    assert catalogue.get("ball-red").pictures[0].path.is_file()  # this one lies elsewhere, and stays there
    database.close()


def test_a_home_that_is_not_empty_is_refused_and_kept(own_shop: Settings, elsewhere: Settings, backup: Path) -> None:
    database = open_database(own_shop)
    Catalogue(database, own_shop).delete("ball-red")
    database.close()
    with pytest.raises(Conflict, match=r"is not empty .*--home"):
        restore(own_shop, backup, quiet)
    assert "Red ball" not in titles(own_shop)
    elsewhere.home.mkdir()
    (elsewhere.home / "notes.txt").write_text("mine")
    with pytest.raises(Conflict, match=r"notes\.txt"):
        restore(elsewhere, backup, quiet)
    assert (elsewhere.home / "notes.txt").read_text() == "mine"


def test_a_home_that_is_opened_meanwhile_is_kept(own_shop: Settings, elsewhere: Settings, backup: Path) -> None:
    def open_once(stage: str, done: int, total: int) -> None:
        open_database(elsewhere).close()

    with pytest.raises(Conflict, match=r"magpie\.db"):
        restore(elsewhere, backup, open_once)
    assert titles(elsewhere) == []
    assert not list(elsewhere.home.glob(".restoring-*"))


def test_a_home_that_is_served_is_not_replaced(own_shop: Settings, backup: Path) -> None:
    with lock_home(own_shop.home, SERVING), pytest.raises(HomeLocked):
        restore(own_shop, backup, quiet)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_backup_is_refused_and_nothing_is_touched(elsewhere: Settings, backup: Path, damage: str) -> None:
    data = bytearray(backup.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    backup.write_bytes({"cut": data[: len(data) // 2], "flip": data, "empty": b"", "other": b"x" * 5000}[damage])
    with pytest.raises(BackupBroken, match=r"magpie\.tar"):
        restore(elsewhere, backup, quiet)
    assert not [path for path in elsewhere.home.iterdir() if not path.name.endswith(".lock")]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_no_member_leaves_the_home(elsewhere: Settings, tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(__file__, arcname="harmless")
        member = tarfile.TarInfo(name)
        tar.addfile(member)
    with pytest.raises(BackupBroken, match="outside"):
        restore(elsewhere, tmp_path / "evil.tar", quiet)
    assert not (tmp_path / "outside").exists()


def test_a_backup_of_a_newer_magpie_is_refused(own_shop: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    database = open_database(own_shop)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    back_up(own_shop, tmp_path / "magpie.tar", quiet)
    with pytest.raises(DatabaseTooNew):
        restore(elsewhere, tmp_path / "magpie.tar", quiet)
    assert not (elsewhere.home / "magpie.db").exists()


def test_a_damaged_database_is_not_backed_up_over_a_good_backup(own_shop: Settings, backup: Path) -> None:
    before = backup.read_bytes()
    file = own_shop.home / "magpie.db"
    data = bytearray(file.read_bytes())
    data[8192:-8192] = bytes(len(data) - 16384)
    file.write_bytes(data)
    with pytest.raises(BackupBroken, match=r"magpie\.db"):
        back_up(own_shop, backup, quiet)
    assert backup.read_bytes() == before


def test_a_damaged_cache_is_left_out_and_said(own_shop: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    cache = next(own_shop.embeddings_dir.glob("*.db"))
    cache.write_bytes(b"no database" * 1000)
    report = back_up(own_shop, tmp_path / "magpie.tar", quiet)
    assert report.left_out == [f"embeddings/{cache.name}"]
    restore(elsewhere, tmp_path / "magpie.tar", quiet)


def test_backups_go_where_they_may(own_shop: Settings, tmp_path: Path) -> None:
    for place in (own_shop.home / "magpie.tar", tmp_path / "nowhere" / "magpie.tar"):
        with pytest.raises(BadSetting):
            back_up(own_shop, place, quiet)
    with pytest.raises(BadSetting, match="nothing to back up"):
        back_up(own_shop.model_copy(update={"home": tmp_path / "empty"}), tmp_path / "magpie.tar", quiet)


def test_secrets_stay_at_home(own_shop: Settings, tmp_path: Path) -> None:
    back_up(own_shop.model_copy(update={"api_token": "the-secret"}), tmp_path / "magpie.tar", quiet)
    with tarfile.open(tmp_path / "magpie.tar") as tar:
        about = tar.extractfile(MANIFEST)
        assert about is not None and b"the-secret" not in about.read()


def test_a_killed_backup_leaves_the_one_before(own_shop: Settings, tmp_path: Path, backup: Path) -> None:
    before = backup.read_bytes()
    command = [*COMMAND, "--home", str(own_shop.home), "backup", str(backup)]
    for wait_s in (0.2, 0.5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        restored = own_shop.model_copy(update={"home": tmp_path / str(wait_s)})
        restore(restored, backup, quiet)
        assert titles(restored) == titles(own_shop)
    assert len(before) == len(backup.read_bytes())
    back_up(own_shop, backup, quiet)
    assert not list(own_shop.home.glob(f"{SNAPSHOT_PREFIX}*")) and not list(backup.parent.glob(".*.partial"))


def test_a_backup_beside_writers_and_a_rebuild_is_one_moment(own_shop: Settings, tmp_path: Path) -> None:
    """The saved index never shows a later catalogue than the saved database."""
    database = open_database(own_shop)
    catalogue = Catalogue(database, own_shop)
    for n in range(3):
        catalogue.upsert([ItemDraft(f"new-{n}", f"New {n}")], tmp_path)

        def meanwhile(stage: str, done: int, total: int, n: int = n) -> None:
            catalogue.upsert([ItemDraft(f"late-{n}-{done}", "Late")], tmp_path)

        back_up(own_shop, tmp_path / "magpie.tar", meanwhile)
        restored = own_shop.model_copy(update={"home": tmp_path / f"restored-{n}"})
        restore(restored, tmp_path / "magpie.tar", quiet)
        saved = open_database(restored)
        generation = SearchEngine(restored, saved).search(SearchRequest(text="new")).generation
        assert verify_current(restored)["generation"] == generation
        assert Catalogue(saved, restored).ids_of([f"new-{n}"])
        saved.close()
    database.close()
