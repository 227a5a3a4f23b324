"""Changes beside the index: in steps, in few segments, each once, and deletions before all else."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.live_index import delta
from magpie.search.live_index.compaction import first_to_merge
from magpie.search.request import SearchRequest
from tests.support.shop import COLOURS, KINDS

IN_THE_SHOP = len(COLOURS) * len(KINDS) + 2
PATIENCE = 2_000


@pytest.fixture
def catalogue(shop_database: Database, own_shop: Settings) -> Catalogue:
    return Catalogue(shop_database, own_shop)


@pytest.fixture
def engine(shop_database: Database, own_shop: Settings) -> Iterator[SearchEngine]:
    opened = SearchEngine(own_shop, shop_database)
    opened.warm_up()
    yield opened
    opened.close()


def put(catalogue: Catalogue, *numbers: int, title: str = "Paper lantern") -> None:
    catalogue.upsert([ItemDraft(f"new-{n}", f"{title} {n}", attributes={"made": str(n)}) for n in numbers], Path("/"))


def found(engine: SearchEngine, text: str = "") -> list[str]:
    return [hit.item_id for hit in engine.search(SearchRequest(text=text, k=1000, mode="lexical")).hits]


def everything(engine: SearchEngine) -> list[str]:
    return sorted(hit.item_id for hit in engine.search(SearchRequest(k=1000, facets=False, sort="newest")).hits)


def follow(engine: SearchEngine, is_over: Callable[[], bool]) -> None:
    for _ in range(PATIENCE):
        if is_over():
            return
        time.sleep(0.01)
        engine.refresh()
    pytest.fail(str(engine.status()))


def test_many_changes_come_in_steps_and_stay_in_few_segments(
    engine: SearchEngine, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "STEP", 8)
    monkeypatch.setattr(delta, "_SMALL", 4)
    expected = {item.item_id for batch in catalogue.scan() for item in batch}
    for turn in range(6):
        put(catalogue, *range(20 * turn, 20 * turn + 20))
        catalogue.delete(f"new-{20 * turn + 3}")
        put(catalogue, *range(20 * turn, 20 * turn + 2), title="Silk lantern")
        expected |= {f"new-{n}" for n in range(20 * turn, 20 * turn + 20)} - {f"new-{20 * turn + 3}"}
        engine.refresh()
        shown = everything(engine)
        assert len(shown) == len(set(shown)) and set(shown) <= expected
    follow(engine, lambda: not engine.status()["changes_waiting"] and len(engine.serving.segments) <= 4)
    assert everything(engine) == sorted(expected)
    assert sorted(found(engine, "silk")) == sorted(f"new-{20 * t + n}" for t in range(6) for n in (0, 1))
    assert engine.search(SearchRequest(filters={"made": {"gte": 115}}, k=20)).total == 5


def test_what_is_deleted_goes_before_what_waits(
    engine: SearchEngine, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "STEP", 1)
    put(catalogue, 1, 2, 3)
    catalogue.delete("ball-red")
    engine.refresh()
    assert engine.status()["changes_waiting"] == 3  # two items and the deletion behind them
    assert found(engine, "lantern") == ["new-1"] and "ball-red" not in everything(engine)
    follow(engine, lambda: not engine.status()["changes_waiting"])
    assert sorted(found(engine, "lantern")) == ["new-1", "new-2", "new-3"]


def test_a_full_delta_says_so_and_still_forgets_what_is_deleted(
    engine: SearchEngine, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "MOST_ITEMS", 3)
    put(catalogue, 1, 2, 3, 4, 5)
    catalogue.delete("ball-red")
    engine.refresh()
    assert len(everything(engine)) == IN_THE_SHOP - 1 + 3
    assert "index rebuild" in engine.status()["alarms"][0]
    catalogue.delete("new-1")
    catalogue.delete("new-5")
    follow(engine, lambda: sorted(found(engine, "lantern")) == ["new-2", "new-3", "new-4"])
    follow(engine, lambda: not engine.status()["changes_waiting"])


def test_what_dies_while_segments_are_merged_stays_dead(
    engine: SearchEngine, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "_SMALL", 0)
    put(catalogue, *range(5))
    engine.refresh()
    put(catalogue, *range(5, 10))
    engine.refresh()  # begins to merge the two
    catalogue.delete("new-2")
    put(catalogue, 7, title="Silk lantern")
    follow(engine, lambda: [segment.num_living for segment in engine.serving.segments[1:]] == [8, 1])
    assert sorted(found(engine, "lantern")) == sorted(f"new-{n}" for n in range(10) if n != 2)
    assert found(engine, "silk") == ["new-7"]


def test_vectors_of_changes_are_kept_for_the_next_rebuild(
    engine: SearchEngine, catalogue: Catalogue, own_shop: Settings, shop_database: Database
) -> None:
    from magpie.indexer.rebuild import rebuild

    put(catalogue, 1)
    engine.refresh()
    assert rebuild(own_shop, shop_database).texts_encoded == 0


def test_without_a_place_for_vectors_changes_are_searchable_all_the_same(
    engine: SearchEngine, catalogue: Catalogue, own_shop: Settings
) -> None:
    for path in own_shop.embeddings_dir.iterdir():
        path.unlink()
    own_shop.embeddings_dir.rmdir()
    own_shop.embeddings_dir.write_text("in the way")
    put(catalogue, 1)
    engine.refresh()
    assert found(engine, "lantern") == ["new-1"]


@given(st.lists(st.integers(1, 300), max_size=60))
def test_few_segments_are_left_each_much_larger_than_the_rest(added: list[int]) -> None:
    sizes: list[int] = []
    for size in added:
        sizes.append(size)
        while (start := first_to_merge(sizes)) is not None:
            sizes = [*sizes[:start], sum(sizes[start:])]
        assert all(size >= 2 * sum(sizes[place + 1 :]) for place, size in enumerate(sizes))
    assert sum(sizes) == sum(added) and 3 ** max(0, len(sizes) - 1) <= max(1, sum(sizes))


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_a_segment_without_some_items_has_the_others(first: set[int], second: set[int]) -> None:
    import numpy as np

    from magpie.indexer.fusion.click_part import ClickPart
    from magpie.search.live_index.segment import Segment

    ids = np.arange(0, 40, 3)
    nothing: dict[str, np.ndarray] = {}
    whole = Segment(
        ids, nothing, ids, ids, ids, None, ClickPart.nothing(1), {}, None, None, np.zeros(len(ids), bool)  # type: ignore[arg-type]
    )  # fmt: skip
    left = whole.without(np.array(sorted(first), np.int64)).without(np.array(sorted(second), np.int64))
    assert left.living_ids.tolist() == [id_ for id_ in ids.tolist() if id_ not in first | second]
    assert whole.num_living == len(ids)
