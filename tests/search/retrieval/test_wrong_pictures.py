"""Items with the picture of another kind of thing are found by their words no worse than if they had no picture."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings
from magpie.indexer.fusion.modality_conflicts import load_conflicts
from magpie.indexer.generations.store import open_current
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest

pytestmark = pytest.mark.slow

DEMO = Path(__file__).parents[3] / "data" / "demo"
NUM_ITEMS, EVERY, DEPTH = 400, 20, 100

Row = dict[str, str]
Gains = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Some of the demo shop's items, each with its own picture."""
    with (DEMO / "catalog.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if (DEMO / row["image"]).is_file() and row["image"]][:NUM_ITEMS]


@pytest.fixture(scope="module")
def wrong(rows: list[Row]) -> dict[str, str]:
    """Every twentieth item, and the picture of an item of another category that it is given."""
    pictures = {}
    for place, row in list(enumerate(rows))[::EVERY]:
        others = [other for other in rows[place:] + rows[:place] if other["category"] != row["category"]]
        pictures[row["id"]] = others[0]["image"]
    return pictures


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[Row]], tuple[SearchEngine, set[str]]]]:
    """index(rows) imports and indexes them; the engine, and the ids that were flagged."""
    opened = []

    def make(items: list[Row]) -> tuple[SearchEngine, set[str]]:
        folder = tmp_path_factory.mktemp("shop")
        with (folder / "feed.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, items[0].keys())
            writer.writeheader()
            writer.writerows(items)
        settings = Settings(home=folder / "home")
        database = open_database(settings)
        opened.append(database)
        import_feed(Catalogue(database, settings), folder / "feed.csv", images=DEMO)
        rebuild(settings, database)
        flagged = {one["item_id"] for one in load_conflicts(open_current(settings)[0].folder)}
        return SearchEngine(settings, database), flagged

    yield make
    for database in opened:
        database.close()


def gains(engine: SearchEngine, items: list[Row]) -> Gains:
    """By mode (items,) what each gains, 1 / log2(1 + its rank), when its colour, material and kind are asked for."""
    found = {}
    for mode in ("hybrid", "fused"):
        ranks = []
        for item in items:
            text = f"{item['colour']} {item['material']} {item['kind']}"
            hits = engine.search(SearchRequest(text=text, mode=mode, k=DEPTH, facets=False)).hits
            ranks.append(next((hit.position for hit in hits if hit.item_id == item["id"]), np.inf))
        found[mode] = 1 / np.log2(1 + np.array(ranks))
    return found


def test_they_are_found_as_if_they_had_no_picture(
    rows: list[Row], wrong: dict[str, str], index: Callable[[list[Row]], tuple[SearchEngine, set[str]]]
) -> None:
    asked = [row for row in rows if row["id"] in wrong]
    torn, flagged = index([{**row, "image": wrong.get(row["id"], row["image"])} for row in rows])
    bare, _ = index([{**row, "image": "" if row["id"] in wrong else row["image"]} for row in rows])
    assert len(flagged & set(wrong)) > 0.9 * len(wrong)
    with_wrong, without = gains(torn, asked), gains(bare, asked)
    for mode in ("hybrid", "fused"):
        assert without[mode].mean() > 0.2
        assert with_wrong[mode].mean() > 0.97 * without[mode].mean()
