"""Bots that push one item: found among people, set aside, and without effect on what people see."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.click_fraud import ATTACKS, Attack, bot_log, honest_log, rises, unwanted_items
from data.click_cells import read_cells, refresh_cells
from data.click_fraud import pushing_sources
from data.click_log import ClickLog
from data.database import Database
from data.hygiene import PUSHES, set_aside_counts, set_aside_misuse
from search.learning.browsing import choose_browsing_model
from search.learning.overclicked import without_overclicked
from tests.clicked_world import browse, make_world

WORLD = make_world()
(TARGET,) = unwanted_items(WORLD, 1)
HONEST = honest_log(WORLD, 3_000, seed=1)
BOTS_CLICKS = len(HONEST[1]) // 4  # a fifth of all
FOUND = [attack for attack in ATTACKS if attack.clicks_each >= attack.others_each]


def sources(database: Database) -> list[str]:
    with database.reading() as connection:
        return pushing_sources(connection)


def keep(database: Database, *logs: tuple[list, list]) -> None:  # type: ignore[type-arg]
    for queries, events in logs:
        ClickLog(database).record_queries(queries)
        ClickLog(database).record_events(events)


def test_people_push_nothing(database: Database) -> None:
    keep(database, HONEST)
    assert sources(database) == []


@pytest.mark.parametrize("attack", FOUND, ids=lambda attack: attack.name)
def test_bots_are_found_and_people_are_not(database: Database, attack: Attack) -> None:
    bots = bot_log(WORLD, TARGET, attack, BOTS_CLICKS, seed=7)
    keep(database, HONEST, bots)
    found = set_aside_misuse(database)
    assert len(bots[0]) + len(bots[1]) <= found[PUSHES] <= 1.05 * (len(bots[0]) + len(bots[1]))
    assert set_aside_counts(database)[PUSHES] == found[PUSHES]
    assert set_aside_misuse(database)[PUSHES] == 0


def test_people_click_nothing_more_often_than_they_look() -> None:
    cells = browse(WORLD, 4_000)
    kept, left_out = without_overclicked(cells, choose_browsing_model(cells).model)
    assert len(kept) == len(cells) and left_out == 0


def test_hidden_bots_click_it_more_often_than_it_is_looked_at(database: Database) -> None:
    hidden = Attack("others three times as often", 1, 3)
    keep(database, HONEST, bot_log(WORLD, TARGET, hidden, BOTS_CLICKS, seed=7))
    refresh_cells(database)
    cells = read_cells(database)
    kept, left_out = without_overclicked(cells, choose_browsing_model(cells).model)
    target = cells.items.index(TARGET)
    assert BOTS_CLICKS // 4 <= left_out <= BOTS_CLICKS // 3
    assert set(np.unique(kept.item)) >= set(np.unique(cells.item)) - {target}
    assert kept.num_clicks + left_out == cells.num_clicks


def test_an_item_that_bots_push_keeps_its_rank_for_people(tmp_path: Path) -> None:
    folders = iter([tmp_path / "without", tmp_path / "with"])
    found, aside = rises(WORLD, TARGET, Attack("once", 1), HONEST, lambda: next(folders))
    assert found and max(found) <= 1 and aside[PUSHES]
