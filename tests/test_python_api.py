"""`import magpie`: a home is opened, filled, indexed and searched from Python, with the command line's own errors."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import magpie
from magpie.data.errors import BadFilter, BadQuery, BadSetting, NoIndex


@pytest.fixture
def feed(tmp_path: Path, picture: Callable[..., Path]) -> Path:
    picture("red.png", "red")
    path = tmp_path / "feed.csv"
    path.write_text("id,title,price,image\n1,Red ball,5,red.png\n2,Blue kite,20,\n3,Blue ball,30,\n")
    return path


def test_a_feed_is_imported_indexed_and_searched(tmp_path: Path, feed: Path) -> None:
    with magpie.open_home(tmp_path / "home") as home:
        assert home.import_feed(feed).inserted == len(home) == 3
        assert not home.is_indexed
        with pytest.raises(NoIndex):
            home.search("ball")
        stages = []
        assert home.rebuild(progress=lambda stage, done, total: stages.append(stage)).items == 3
        assert stages
        assert home.search("blue kite", k=1).hits[0].item_id == "2"
        cheap = home.search("ball", filters={"price": {"lt": 10}})
        assert [hit.item_id for hit in cheap.hits] == ["1"]
        seen = home.search(image=tmp_path / "red.png", mode="image", explain=True)
        assert seen.hits[0].item_id == "1" and seen.hits[0].explain


def test_changes_after_the_rebuild_are_found(tmp_path: Path, feed: Path) -> None:
    with magpie.open_home(tmp_path / "home") as home:
        home.import_feed(feed)
        home.rebuild()
        home.search("ball")
        feed.write_text(feed.read_text() + "4,Green drum,7,\n")
        assert home.import_feed(feed).inserted == 1
        assert home.search("green drum", k=1).hits[0].item_id == "4"


def test_mistakes_have_the_names_that_the_docs_give_them(tmp_path: Path, feed: Path) -> None:
    with pytest.raises(BadSetting, match="colour: there is no such setting"):
        magpie.open_home(tmp_path / "home", colour="red")
    with pytest.raises(BadSetting, match="MAGPIE_THREADS"):
        magpie.open_home(tmp_path / "home", threads=0)
    with magpie.open_home(tmp_path / "home") as home:
        home.import_feed(feed)
        home.rebuild()
        with pytest.raises(BadQuery, match="colour"):
            home.search("ball", colour="red")
        with pytest.raises(BadFilter, match="price"):
            home.search("ball", filters={"price": {"below": 10}})
        with pytest.raises(BadQuery):
            home.search()


def test_importing_magpie_loads_nothing_heavy() -> None:
    heavy = "torch faiss flask sqlalchemy numpy"
    script = f"import sys, magpie; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "magpie", "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("magpie ")
