"""Faults under a server: damaged files of the index, two servers, a home that is read-only, pictures that vanish."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.errors import HomeLocked
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id, open_current
from magpie.indexer.rebuild import rebuild
from magpie.web.app import create_app
from magpie.web.serve import serve
from tests.support.serving import COMMAND, client_of, free_port

pytestmark = pytest.mark.slow


def test_any_damaged_file_brings_the_generation_before(own_shop: Settings) -> None:
    with closing(open_database(own_shop)) as database:
        sound = current_id(own_shop)
        broken = rebuild(own_shop, database).generation
    for file in [path for path in (own_shop.generations_dir / broken).rglob("*") if path.stat().st_size > 1]:
        if not file.is_file() or file.suffix == ".lock":
            continue
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[len(flipped) // 3] ^= 4
        for damaged in (flipped, whole[: len(whole) // 2]):
            file.write_bytes(damaged)
            generation, alarms = open_current(own_shop)
            assert generation.id == sound and broken in alarms[0], file.name
        file.write_bytes(whole)
    assert open_current(own_shop)[0].id == broken


def test_readyz_says_what_is_damaged(own_shop: Settings) -> None:
    with closing(open_database(own_shop)) as database:
        broken = rebuild(own_shop, database).generation
    (own_shop.generations_dir / broken / "ids.npy").unlink()
    app = create_app(own_shop)
    ready = client_of(app).get("/readyz")
    metrics = client_of(app).get("/metrics").text
    app.extensions["magpie"].close()
    assert ready.status_code == 200 and "ids.npy" in ready.get_json()["alarms"][0]
    assert "magpie_alarms 1.0" in metrics


def test_a_second_server_is_refused(own_shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magpie.web.serve.TAKE_OVER_S", 0.1)
    said = f"process {os.getpid()} is busy with serving"
    with lock_home(own_shop.home, SERVING), pytest.raises(HomeLocked, match=said):
        serve(own_shop, "127.0.0.1", free_port(), print)


def test_a_picture_that_vanishes_costs_only_itself(own_shop: Settings, tmp_path: Path) -> None:
    pictures = tmp_path / "mine"
    pictures.mkdir()
    app = create_app(own_shop)
    opened = app.extensions["magpie"]
    with closing(open_database(own_shop)) as database:
        source = Catalogue(database, own_shop).get("kite-red").pictures[0].path
        for name in ("stays", "goes"):
            shutil.copy(source, pictures / f"{name}.jpg")
            with (pictures / f"{name}.jpg").open("ab") as file:  # bytes that no other picture has
                file.write(name.encode() + b"\xff\xd9")
        drafts = [ItemDraft(name, f"Crimson {name}", pictures=(f"{name}.jpg",)) for name in ("stays", "goes")]
        opened.catalogue.upsert(drafts, pictures)
        (pictures / "goes.jpg").unlink()
        opened.engine.refresh()
        found = client_of(app).get("/api/search?q=crimson").get_json()["hits"]
        assert {"stays", "goes"} <= {hit["item_id"] for hit in found}
        urls = {hit["item_id"]: hit["image_url"] for hit in found}
        assert client_of(app).get(urls["stays"]).status_code == 200
        gone = client_of(app).get(urls["goes"])
        assert gone.status_code == 404 and "import the feed again" in gone.text
        for _ in range(2):  # what could not be decoded is tried again, though nothing has changed
            report = rebuild(own_shop, database)
            assert [Path(file).name for file in report.pictures_broken] == ["goes.jpg"]
    opened.close()


def test_a_read_only_home_is_named(own_shop: Settings) -> None:
    """Permissions bind also the administrator of a container that may not override them, as here."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("the administrator may write everything")
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    with closing(sqlite3.connect(own_shop.home / "magpie.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    paths = [own_shop.home, *own_shop.home.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        for command in (["serve"], ["catalog", "stats"]):
            done = subprocess.run(
                [*prefix, *COMMAND, "--home", str(own_shop.home), *command], capture_output=True, text=True, check=False
            )
            assert done.returncode == 1 and str(own_shop.home) in done.stderr and "Unexpected" not in done.stderr, (
                command
            )
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
