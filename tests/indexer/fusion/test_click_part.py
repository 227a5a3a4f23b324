"""The click part: how far queries that led people to items move their vectors, and what a search then finds."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.database.connection import Database, open_database
from magpie.data.erasure.erase import forget_client
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.indexer.fusion.click_part import ClickPart, fit_click_part
from magpie.indexer.fusion.halves import sum_halves
from magpie.indexer.generations.store import current_id
from magpie.indexer.rebuild import rebuild
from magpie.indexer.vectors import unit_rows
from magpie.search.engine import SearchEngine
from magpie.search.ranker_training.clicked_queries import gather_clicked_queries
from magpie.search.request import SearchRequest

DIM = 8
STRANGE = "zorblax"  # nobody's title has it
NOON = 20_000 * 86_400_000 + 43_200_000


def encode(texts: list[str]) -> np.ndarray:
    """Each text its own axis."""
    vectors = np.zeros((len(texts), DIM), np.float32)
    vectors[np.arange(len(texts)), [int(text) for text in texts]] = 1
    return vectors


@pytest.fixture
def part() -> ClickPart:
    clicked = {
        "a": [ClickedQuery("0", 3.0), ClickedQuery("1", 1.0)],
        "b": [ClickedQuery("2", 100.0)],
        "gone": [ClickedQuery("3", 1.0)],
    }
    return fit_click_part(clicked, {"a": 7, "b": 5, "c": 6}, encode, max_share=0.2)


def test_the_share_is_bounded_and_grows_with_the_weight(part: ClickPart) -> None:
    assert part.ids.tolist() == [5, 7]
    lengths = np.linalg.norm(part.offsets, axis=1)
    assert 0.15 < lengths[1] < lengths[0] < 0.2


def test_only_items_with_queries_move_and_only_towards_them(part: ClickPart) -> None:
    ids = np.array([5, 6, 7])
    own = unit_rows(np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32))
    halves = np.concatenate([0.25 * own, 0.75 * own], axis=1)
    applied = part.apply(ids, halves)
    np.testing.assert_array_equal(applied[1], halves[1])
    moved = sum_halves(applied)
    np.testing.assert_allclose(applied[:, :DIM] + applied[:, DIM:], moved, atol=1e-6)  # of unit length already
    assert moved[0, 2] > own[0, 2] and moved[2, 0] > own[2, 0]
    np.testing.assert_allclose(unit_rows(applied[:, DIM:]), own, atol=1e-6)  # a picture says no words
    assert (moved * own).sum(axis=1).min() > 0.95


def test_an_item_without_any_part_stays_unfindable(part: ClickPart) -> None:
    assert not part.apply(np.array([5]), np.zeros((1, 2 * DIM), np.float32)).any()


def test_a_moved_vector_is_taken_apart_exactly(part: ClickPart) -> None:
    own = unit_rows(np.random.default_rng(1).normal(size=(1, DIM)).astype(np.float32))
    moved = sum_halves(part.apply(np.array([7]), np.concatenate([own, np.zeros_like(own)], axis=1)))[0]
    factor, addend = part.split(7, moved)
    np.testing.assert_allclose(factor * own[0] + addend, moved, atol=1e-6)
    assert part.split(6, moved)[0] == 1


def test_it_survives_being_written(part: ClickPart, tmp_path: Path) -> None:
    part.save(tmp_path / "clicked.npz")
    again = ClickPart.load(tmp_path / "clicked.npz")
    np.testing.assert_array_equal(again.ids, part.ids)
    np.testing.assert_array_equal(again.offsets, part.offsets)


@pytest.fixture
def database(own_shop: Settings) -> Iterator[Database]:
    opened = open_database(own_shop)
    yield opened
    opened.close()


def choose_often(database: Database, people: int) -> None:
    """So many people search a word that no item has, see two kites and choose the blue one."""
    log = EventLog(database)
    hits = (ShownHit("kite-red", 1, 1.0), ShownHit("kite-blue", 2, 0.9))
    for number in range(people):
        name = f"client {number}"
        log.record_queries([QueryRecord(f"q{number}", STRANGE, name, timestamp_ms=NOON, hits=hits)])
        chosen = EventRecord("click", f"q{number}", name, timestamp_ms=NOON + 5_000, object_id="kite-blue", position=2)
        log.record_events([chosen])


def found_score(settings: Settings, database: Database, item_id: str) -> float:
    engine = SearchEngine(settings, database)
    hits = engine.search(SearchRequest(text=STRANGE, mode="fused", k=40)).hits
    engine.close()
    return next(hit.score for hit in hits if hit.item_id == item_id)


def test_what_people_chose_is_found_by_their_word_and_without_the_part_as_before(
    own_shop: Settings, database: Database
) -> None:
    before = {item: found_score(own_shop, database, item) for item in ("kite-blue", "ball-green")}
    choose_often(database, people=6)
    rebuild(own_shop, database, clicked=partial(gather_clicked_queries, own_shop, database))
    assert found_score(own_shop, database, "kite-blue") > before["kite-blue"] + 0.02
    assert found_score(own_shop, database, "ball-green") == pytest.approx(before["ball-green"], abs=1e-3)
    without = own_shop.model_copy(update={"clicked_share": 0.0})
    rebuild(without, database, clicked=partial(gather_clicked_queries, without, database))
    assert found_score(own_shop, database, "kite-blue") == pytest.approx(before["kite-blue"], abs=1e-3)


def test_a_forgotten_query_leaves_the_index_and_until_then_it_says_so(own_shop: Settings, database: Database) -> None:
    before = found_score(own_shop, database, "kite-blue")
    choose_often(database, people=6)
    rebuild(own_shop, database, clicked=partial(gather_clicked_queries, own_shop, database))
    engine = SearchEngine(own_shop, database)
    engine.refresh()
    assert engine.status()["stale"] == [] and not engine.status()["alarms"]
    for number in range(6):
        forget_client(database, f"client {number}")
    engine.refresh()
    assert engine.status()["stale"] == ["index"] and "rebuild" in engine.status()["alarms"][0]
    assert found_score(own_shop, database, "kite-blue") > before + 0.02  # so there was something to be forgotten
    rebuild(own_shop, database, clicked=partial(gather_clicked_queries, own_shop, database))
    engine.refresh()
    assert engine.status()["stale"] == []
    engine.close()
    assert found_score(own_shop, database, "kite-blue") == pytest.approx(before, abs=1e-3)
    folder = own_shop.generations_dir / str(current_id(own_shop))
    assert not len(ClickPart.load(folder / "clicked.npz").ids)
    assert all(STRANGE.encode() not in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_a_query_of_too_few_people_enters_no_vector(own_shop: Settings, database: Database) -> None:
    choose_often(database, people=4)
    assert gather_clicked_queries(own_shop, database) == {}


def test_the_explanation_names_the_queries_share_and_still_sums(own_shop: Settings, database: Database) -> None:
    choose_often(database, people=6)
    rebuild(own_shop, database, clicked=partial(gather_clicked_queries, own_shop, database))
    engine = SearchEngine(own_shop, database)
    hits = engine.search(SearchRequest(text=STRANGE, mode="fused", k=40, explain=True)).hits
    engine.close()
    explained = {hit.item_id: hit.explain or {} for hit in hits}
    assert explained["kite-blue"]["queries"] > 0.02
    assert "queries" not in explained["ball-green"]
    assert all(sum(explained[hit.item_id].values()) == pytest.approx(hit.score, abs=1e-4) for hit in hits)
