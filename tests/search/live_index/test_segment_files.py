"""Segments of changed items that are kept as files: a killed server has them again, and uses none that does not fit."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database, open_database
from magpie.data.settings import Settings
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.live_index import delta, delta_builder, segment_files
from magpie.search.request import SearchRequest
from magpie.search.serving import Upkeep

PATIENCE = 2_000
WRITER, READER = Upkeep(0.0, writes_segments=True), Upkeep(0.0)
QUERIES = [
    SearchRequest(text=text, mode=mode, k=200) for text in ("silk lantern", "red") for mode in ("hybrid", "lexical")
]
QUERIES += [SearchRequest(k=200, sort=sort) for sort in ("newest", "-made")]
QUERIES += [SearchRequest(text="lantern", filters={"made": {"gte": 7}}, k=200), SearchRequest(like="new-9", k=200)]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handful of items makes several segments of files."""
    monkeypatch.setattr(delta, "STEP", 8)
    monkeypatch.setattr(delta, "_SMALL", 0)
    monkeypatch.setattr(delta_builder, "SAVED_FROM", 4)


@pytest.fixture
def catalogue(shop_database: Database, own_shop: Settings) -> Catalogue:
    return Catalogue(shop_database, own_shop)


@pytest.fixture
def opened(own_shop: Settings, shop_database: Database) -> Iterator[Callable[[Upkeep], SearchEngine]]:
    engines: list[SearchEngine] = []

    def open_engine(upkeep: Upkeep) -> SearchEngine:
        engines.append(SearchEngine(own_shop, shop_database, upkeep))
        engines[-1].refresh()
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close()


def put(catalogue: Catalogue, *numbers: int, title: str = "Paper lantern") -> None:
    catalogue.upsert([ItemDraft(f"new-{n}", f"{title} {n}", attributes={"made": n}) for n in numbers], Path("/"))


def follow(engine: SearchEngine) -> SearchEngine:
    """The engine once it has taken up all changes, with nothing left to merge."""
    for _ in range(PATIENCE):
        engine.refresh()
        if not engine.status()["changes_waiting"] and engine.serving.compaction.num_sealed == 0:
            return engine
        time.sleep(0.01)
    pytest.fail(str(engine.status()))


def change_a_lot(catalogue: Catalogue, engine: SearchEngine) -> None:
    """Items made, changed, changed again and deleted, in the index's files in part and in part after them."""
    put(catalogue, *range(20))
    put(catalogue, 3, 5, title="Silk lantern")
    catalogue.delete("new-4")
    catalogue.upsert([ItemDraft("ball-red", "Red silk ball", attributes={"made": 30})], Path("/"))
    catalogue.delete("box-green")
    follow(engine)
    put(catalogue, 5, 6, title="Red lantern")
    catalogue.delete("new-7")


def answers(engine: SearchEngine) -> list[Any]:
    """What each query finds, in order, with scores and counts."""
    found = [engine.search(query) for query in QUERIES]
    return [
        (
            [(hit.item_id, hit.title, pytest.approx(hit.score, abs=1e-6)) for hit in one.hits],
            one.total,
            one.facets,
            one.ranges,
        )
        for one in found
    ]


def test_a_killed_server_has_its_changes_again(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, own_shop: Settings
) -> None:
    change_a_lot(catalogue, opened(WRITER))  # it is killed with three changes that it has not seen
    assert list(own_shop.live_dir.glob("*/segments.json"))
    again = SearchEngine(own_shop, catalogue.database, READER)
    again.refresh()
    assert again.status()["changes_waiting"] == 0 and any(s.folder for s in again.serving.segments)
    shutil.rmtree(own_shop.live_dir)
    assert answers(again) == answers(follow(opened(READER)))
    again.close()


def test_nothing_is_indexed_again_that_lies_in_files(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(catalogue, *range(30))
    follow(opened(WRITER))
    monkeypatch.setattr(delta, "STEP", 0)  # indexes nothing
    assert sorted(found(opened(READER))) == sorted(f"new-{n}" for n in range(30))


def found(engine: SearchEngine) -> list[str]:
    return [hit.item_id for hit in engine.search(SearchRequest(text="lantern", k=200, mode="lexical")).hits]


def test_a_change_to_what_lies_in_files_is_seen_after_the_next_start(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue
) -> None:
    put(catalogue, *range(30))
    follow(opened(WRITER)).close()
    put(catalogue, 1, title="Silk scarf")
    catalogue.delete("new-2")
    again = opened(WRITER)
    assert sorted(found(again)) == sorted(f"new-{n}" for n in range(30) if n not in (1, 2))
    follow(again).close()
    assert sorted(found(opened(WRITER))) == sorted(f"new-{n}" for n in range(30) if n not in (1, 2))


def test_a_damaged_file_costs_only_time(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, own_shop: Settings, tmp_path: Path
) -> None:
    change_a_lot(catalogue, opened(WRITER))
    expected = answers(follow(opened(READER)))
    shutil.copytree(own_shop.live_dir, tmp_path / "sound")
    files = [path for path in sorted((tmp_path / "sound").rglob("*")) if path.is_file() and path.suffix != ".lock"]
    by_name = {path.name: path for path in files}  # of one segment
    assert by_name.keys() >= {"segments.json", "rows.npz", "fused.npy", "fused.faiss", "columns.npz"}
    for path in by_name.values():
        shutil.rmtree(own_shop.live_dir)
        shutil.copytree(tmp_path / "sound", own_shop.live_dir)
        damaged = own_shop.live_dir / path.relative_to(tmp_path / "sound")
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        damaged.write_bytes(content)
        assert answers(follow(opened(WRITER))) == expected, path.name


def test_a_restored_catalogue_is_not_shown_with_changes_of_the_other(
    own_shop: Settings, shop_database: Database, opened: Callable[[Upkeep], SearchEngine], tmp_path: Path
) -> None:
    shop_database.close()
    saved = tmp_path / "saved.db"
    shutil.copyfile(own_shop.home / "magpie.db", saved)
    for title in ("Paper lantern", "Brass lantern"):  # the same revisions and numbers, other items
        shutil.copyfile(saved, own_shop.home / "magpie.db")
        database = open_database(own_shop)
        put(Catalogue(database, own_shop), *range(20), title=title)
        engine = SearchEngine(own_shop, database, WRITER)
        follow(engine)
        assert {hit.title for hit in engine.search(SearchRequest(text=title, k=20, mode="lexical")).hits} == {
            f"{title} {n}" for n in range(20)
        }
        assert len(engine.search(SearchRequest(text=title.split()[0], k=40, mode="lexical")).hits) == 20
        engine.close()
        database.close()


def test_files_of_another_version_are_not_used(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(catalogue, *range(20))
    follow(opened(WRITER))
    monkeypatch.setattr(segment_files, "code_digest", lambda: "of the next version")
    assert len(opened(READER).serving.delta.segments) == 1  # the first step alone
    assert sorted(found(follow(opened(WRITER)))) == sorted(f"new-{n}" for n in range(20))


def test_a_reader_writes_nothing_and_a_rebuild_leaves_no_files(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, own_shop: Settings, shop_database: Database
) -> None:
    put(catalogue, *range(20))
    follow(opened(READER))
    assert not own_shop.live_dir.exists()
    writer = follow(opened(WRITER))
    before = set(own_shop.live_dir.iterdir())
    assert len(before) == 1
    rebuild(own_shop, shop_database)
    assert not set(own_shop.live_dir.iterdir())
    put(catalogue, *range(20, 30))
    assert sorted(found(follow(writer))) == sorted(f"new-{n}" for n in range(30))
    follow(writer)
    assert {path.name for path in own_shop.live_dir.iterdir()} == {writer.serving.generation.id}


def test_only_the_segments_in_use_are_on_disk(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, own_shop: Settings
) -> None:
    engine = opened(WRITER)
    for turn in range(6):
        put(catalogue, *range(9 * turn, 9 * turn + 9))
        follow(engine)
    folders = {path.name for path in own_shop.live_dir.glob("*/*") if path.is_dir()}
    assert folders == {s.folder.name for s in engine.serving.segments if s.folder}


def test_without_a_place_for_files_changes_are_searchable_all_the_same(
    opened: Callable[[Upkeep], SearchEngine], catalogue: Catalogue, own_shop: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    own_shop.live_dir.write_text("in the way")
    put(catalogue, *range(20))
    assert sorted(found(follow(opened(WRITER)))) == sorted(f"new-{n}" for n in range(20))
    assert "in memory only" in caplog.text
