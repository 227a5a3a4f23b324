"""The same catalogue gives the same order and scores, whether it was indexed at once or item by item, now or again."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database, open_database
from magpie.data.settings import Settings
from magpie.indexer.pipeline.inputs import RebuildOptions
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.live_index import delta
from magpie.search.query.parse_query import MODES
from magpie.search.request import SearchRequest
from tests.support.shop import COLOURS, KINDS, draw

pytestmark = pytest.mark.slow

SIZES = ("small", "large", "round", "old", "plain")
QUERIES = [SearchRequest(text=text, mode=mode, k=300) for text in ("red ball", "something round") for mode in MODES]
QUERIES += [
    SearchRequest(like="item-7", k=300),
    SearchRequest(like="item-7", text="but blue", k=300),
    SearchRequest(text="ball", not_text="red", k=300),
    SearchRequest(text="kite", filters={"colour": ["Red", "Blue"]}, k=300),
    SearchRequest(k=300),
]


def drafts(folder: Path) -> list[ItemDraft]:
    """150 items, some without a picture, and some of whose pictures show something else than their texts say."""
    made = []
    for number, (kind, colour, size) in enumerate((k, c, s) for k in KINDS for c in COLOURS for s in SIZES):
        shown = list(COLOURS)[(number * 7) % len(COLOURS)] if number % 31 == 5 else colour
        draw(kind, shown, folder / f"{number}.png")
        with Image.open(folder / f"{number}.png") as picture:
            picture.resize((90 + number % 17, 120 - number % 13)).save(folder / f"{number}.png")
        made.append(
            ItemDraft(
                f"item-{number}",
                f"{size.title()} {colour} {kind}",
                category="Toys" if kind in ("ball", "kite") else "Household",
                attributes={"colour": colour.title(), "kind": kind},
                pictures=() if number % 10 == 3 else (f"{number}.png",),
            )
        )
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("same-order")
    settings = Settings(home=folder / "home", rerank_limit_ms=0)
    database = open_database(settings)
    Catalogue(database, settings).upsert(drafts(folder / "pictures"), folder / "pictures")
    rebuild(settings, database)
    database.close()
    yield settings


@pytest.fixture
def settings(home: Settings, tmp_path: Path) -> Settings:
    """A copy of the home, whose pictures stay where they are."""
    shutil.copytree(home.home, tmp_path / "own")
    return home.model_copy(update={"home": tmp_path / "own"})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(settings)
    yield opened
    opened.close()


def answers(settings: Settings, database: Database) -> list[tuple[list[str], list[float], int]]:
    """For each query the ids in order, their scores, and the total."""
    engine = SearchEngine(settings, database)
    found = [engine.search(query) for query in QUERIES]
    assert engine.status()["changes_waiting"] == 0
    engine.close()
    return [([hit.item_id for hit in one.hits], [hit.score for hit in one.hits], one.total) for one in found]


def assert_same(
    before: list[tuple[list[str], list[float], int]], after: list[tuple[list[str], list[float], int]]
) -> None:
    for query, one, other in zip(QUERIES, before, after, strict=True):
        assert one[0] == other[0], query
        assert np.allclose(one[1], other[1], rtol=0, atol=1e-6), query
        assert one[2] == other[2], query


def test_two_full_rebuilds_give_the_same(settings: Settings, database: Database) -> None:
    before = answers(settings, database)
    rebuild(settings, database, RebuildOptions(full=True))
    assert_same(before, answers(settings, database))


def test_the_order_of_the_feed_does_not_matter(
    settings: Settings, database: Database, home: Settings, tmp_path: Path
) -> None:
    """Nothing is drawn by the place of an item; sums of floats differ in their last digits only."""
    pictures = home.home.parent / "pictures"
    other = Settings(home=tmp_path / "other", rerank_limit_ms=0)
    reversed_database = open_database(other)
    Catalogue(reversed_database, other).upsert(reversed(drafts(pictures)), pictures)
    rebuild(other, reversed_database)
    for query, one, reverse in zip(
        QUERIES, answers(settings, database), answers(other, reversed_database), strict=True
    ):
        scores = dict(zip(reverse[0], reverse[1], strict=True))
        assert np.allclose([scores[item_id] for item_id in one[0]], one[1], rtol=0, atol=2e-3), query
    reversed_database.close()


@pytest.mark.parametrize("step", [1_000, 40])
def test_items_beside_the_index_are_ranked_as_in_it(
    settings: Settings, database: Database, home: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """All items are put again with another address, which nothing is ranked by, so that they move beside the index."""
    monkeypatch.setattr(delta, "STEP", step)
    before, pictures = answers(settings, database), home.home.parent / "pictures"
    moved = [replace(draft, url="https://shop.example/") for draft in drafts(pictures)]
    Catalogue(database, settings).upsert(moved, pictures)
    assert_same(before, answers(settings, database))
    rebuild(settings, database)
    assert_same(before, answers(settings, database))
