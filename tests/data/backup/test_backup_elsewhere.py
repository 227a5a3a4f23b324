"""A home whose database is PostgreSQL: what lies in the home is backed up, the database by its own tool."""

import os
import shlex
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from magpie.data.backup.backup import back_up
from magpie.data.backup.restore import restore
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.database.copy_database import copy_database
from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from tests.support.postgresql import EMPTY, Cluster


def quiet(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


@pytest.fixture
def shared(own_shop: Settings, empty_postgresql_url: str, picture) -> Settings:
    """A shop in PostgreSQL, with an uploaded picture in the home."""
    own_shop.images_dir.mkdir(exist_ok=True)
    shutil.copy(picture("p.png"), own_shop.images_dir / "abc")
    copy_database(own_shop, empty_postgresql_url, quiet)
    settings = own_shop.model_copy(update={"database_url": empty_postgresql_url})
    with closing(open_database(settings)) as database:
        mine = str(own_shop.images_dir.absolute() / "abc")
        Catalogue(database, settings).upsert([ItemDraft("mine", "Mine", pictures=(mine,))], Path("/"))
    return settings


def first_hit(settings: Settings, words: str) -> str:
    with closing(open_database(settings)) as database:
        return SearchEngine(settings, database).search(SearchRequest(text=words)).hits[0].item_id


def test_home_and_database_come_back(shared: Settings, cluster: Cluster, tmp_path: Path) -> None:
    told = back_up(shared, tmp_path / "magpie.tar", quiet).database
    command = shlex.split(told.partition("save it now: ")[2].replace("FILE", str(tmp_path / "database.dump")))
    assert command[0] == "pg_dump"
    subprocess.run([cluster.programs / "pg_dump", *command[1:]], check=True)
    generation = current_id(shared)
    shutil.rmtree(shared.home)
    with cluster.database(EMPTY) as url:
        plain = url.replace("+psycopg", "")
        load = [cluster.programs / "pg_restore", "--dbname", plain, tmp_path / "database.dump"]
        subprocess.run(load, check=True, env=os.environ)
        again = shared.model_copy(update={"database_url": url})
        restore(again, tmp_path / "magpie.tar", quiet)
        assert current_id(again) == generation
        assert first_hit(again, "red ball") == "ball-red"
        assert (again.images_dir / "abc").is_file() and not (again.home / "magpie.db").exists()
        with closing(open_database(again)) as database:
            assert Catalogue(database, again).get("mine").pictures[0].path.is_file()


def test_a_password_is_not_said(shared: Settings, tmp_path: Path) -> None:
    url = "postgresql+psycopg://shop:hidden@db.example/magpie?sslmode=require"
    told = back_up(shared.model_copy(update={"database_url": url}), tmp_path / "magpie.tar", quiet)
    assert "--dbname='postgresql://shop@db.example/magpie?sslmode=require'" in told.database
    assert "hidden" not in str(told.as_dict())


def test_it_is_not_restored_without_its_database(shared: Settings, tmp_path: Path) -> None:
    back_up(shared, tmp_path / "magpie.tar", quiet)
    alone = shared.model_copy(update={"home": tmp_path / "alone", "database_url": None})
    with pytest.raises(BadSetting, match="MAGPIE_DATABASE_URL"):
        restore(alone, tmp_path / "magpie.tar", quiet)
    assert not (alone.home / "CURRENT").exists()


def test_it_is_not_restored_where_its_pictures_would_not_be_found(shared: Settings, tmp_path: Path) -> None:
    back_up(shared, tmp_path / "magpie.tar", quiet)
    moved = shared.model_copy(update={"home": tmp_path / "moved"})
    with pytest.raises(BadSetting, match="restore it there"):
        restore(moved, tmp_path / "magpie.tar", quiet)
    with closing(open_database(shared)) as database:
        Catalogue(database, shared).delete("mine")
    restore(moved, tmp_path / "magpie.tar", quiet)
    assert first_hit(moved, "red ball") == "ball-red"


def test_a_home_without_anything_is_not_backed_up(shared: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="nothing to back up"):
        back_up(shared.model_copy(update={"home": tmp_path / "nowhere"}), tmp_path / "magpie.tar", quiet)
