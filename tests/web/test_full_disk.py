"""A disk that fills up (a small one is mounted where the tests may do that): said, survived, and nothing lost."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from magpie.data.backup.backup import back_up
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.errors import DiskFault, NotEnoughDisk
from magpie.data.feeds.import_feed import import_feed
from magpie.data.home.disk_errors import disk_fault
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id, verify_current
from magpie.indexer.rebuild import RebuildOptions, rebuild
from magpie.web.app import create_app
from magpie.web.media.picture_store import PictureStore
from tests.support.serving import client_of

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class SmallDisk:
    """A file system of a few megabytes with the shop's home on it."""

    place: Path
    settings: Settings

    def fill(self, left_bytes: int = 0) -> None:
        """Leaves only so much space."""
        with (self.place / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(4096))
        os.truncate(self.place / "filler", max(0, (self.place / "filler").stat().st_size - left_bytes))

    def free(self) -> None:
        (self.place / "filler").unlink()


@pytest.fixture
def small_disk(shop: Settings, tmp_path: Path) -> Iterator[SmallDisk]:
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", place], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mount.stderr.decode().strip()}")
    try:
        shutil.copytree(shop.home, place / "home")
        yield SmallDisk(place, shop.model_copy(update={"home": place / "home"}))
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def quiet(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


def test_searches_and_pictures_go_on_and_no_acknowledged_event_is_lost(small_disk: SmallDisk) -> None:
    app = create_app(small_disk.settings)
    try:
        client = client_of(app)
        small_disk.fill()
        acknowledged, refused = [], 0
        for n in range(300):
            event = {"action_name": "view", "event_id": f"e{n}", "message": "x" * 3000}
            answer = client.post("/api/events", json=event)
            assert answer.status_code in (200, 503)
            if answer.status_code == 200:
                acknowledged.append(f"e{n}")
            else:
                refused += 1
                assert "disk" in answer.get_json()["detail"]
        assert refused
        hits = client.get("/api/search?q=red+ball&client_id=someone").get_json()["hits"]
        assert client.get(hits[0]["image_url"] + "&w=320").status_code == 200
        assert client.get("/?q=blue").status_code == 200
        assert client.put("/api/items/new", json={"title": "x" * 5000}).status_code == 503
        small_disk.free()
        assert client.post("/api/events", json={"action_name": "view", "event_id": "after"}).status_code == 200
        app.extensions["magpie"].query_log.settle(timeout_s=20)
        exported = list(app.extensions["magpie"].event_log.export())
    finally:
        app.extensions["magpie"].close()
    assert {one["event_id"] for one in exported if "event_id" in one} == {*acknowledged, "after"}
    assert any(one.get("user_query") == "red ball" for one in exported)  # it waited until there was space


@pytest.mark.parametrize("left_bytes", [0, 200_000, 700_000])
def test_a_rebuild_without_space_leaves_the_index_as_it_was(small_disk: SmallDisk, left_bytes: int) -> None:
    settings, before = small_disk.settings, current_id(small_disk.settings)
    with closing(open_database(settings)) as database:
        small_disk.fill(left_bytes)
        with pytest.raises(Exception) as raised:
            rebuild(settings, database, RebuildOptions(full=True))
        assert isinstance(disk_fault(raised.value), (NotEnoughDisk, DiskFault))  # SQLite's shared memory is one, too
        assert current_id(settings) == before and verify_current(settings)["sound"]
        assert not list(settings.generations_dir.glob(".*"))
        small_disk.free()
        assert rebuild(settings, database).pictures_encoded < 30


@pytest.mark.parametrize("left_bytes", [0, 400_000])
def test_an_import_without_space_goes_on_later(small_disk: SmallDisk, left_bytes: int, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    rows = ({"id": f"row-{n}", "title": f"Row {n}", "description": "word " * 200} for n in range(4_500))
    feed.write_text("\n".join(map(json.dumps, rows)))
    with closing(open_database(small_disk.settings)) as database:
        catalogue = Catalogue(database, small_disk.settings)
        small_disk.fill(left_bytes)
        with pytest.raises(Exception) as raised:
            import_feed(catalogue, feed)
        assert isinstance(disk_fault(raised.value) or raised.value, NotEnoughDisk)
        assert (catalogue.count() - 32) % 2_000 == 0
        small_disk.free()
        report = import_feed(catalogue, feed)
        assert report.inserted + report.updated + report.unchanged == 4_500


def test_a_backup_without_space_leaves_the_one_before(small_disk: SmallDisk) -> None:
    file = small_disk.place / "magpie.tar"
    back_up(small_disk.settings, file, quiet)
    before = file.read_bytes()
    small_disk.fill(1_000_000)
    with pytest.raises(NotEnoughDisk):
        back_up(small_disk.settings, file, quiet)
    assert file.read_bytes() == before
    assert not list(small_disk.place.glob(".*")) and not list(small_disk.settings.home.glob(".backup-*"))


def test_a_thumbnail_that_cannot_be_kept_is_sent(
    own_shop: Settings, monkeypatch: pytest.MonkeyPatch, picture: Callable[..., Path]
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("magpie.web.media.picture_store.write_whole", fail)
    with closing(open_database(own_shop)) as database, closing(PictureSandbox()) as decoder:
        shelf = PictureStore(own_shop, Catalogue(database, own_shop), decoder)
        served = shelf._thumbnail(Catalogue(database, own_shop).get("ball-red").pictures[0], 160)
    assert not isinstance(served.file, Path) and served.file.getvalue()[8:12] == b"WEBP"
