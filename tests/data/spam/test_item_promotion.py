"""Bots that push one item: found among people, set aside, and without effect on what people see."""

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.click_fraud import ATTACKS, DAY_MS, START_MS, Attack, Log, bot_log, honest_log, rises, unwanted_items
from magpie.data.aggregates.click_aggregates import read_click_aggregates, refresh_click_aggregates
from magpie.data.aggregates.clicked_queries import clicked_queries
from magpie.data.aggregates.item_counts import count_items
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database, open_database
from magpie.data.events.event_log import EventLog
from magpie.data.events.filter_reasons import PROMOTION
from magpie.data.events.ubi import EventRecord
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import count_filtered, filter_spam
from magpie.data.spam.item_promotion import promoting_actors
from magpie.search.click_models.click_models import choose_click_model
from magpie.search.click_models.overclicked_items import without_overclicked, without_promoters
from magpie.search.personalisation.popularity import Popularity
from magpie.search.ranker_training.clicked_queries import gather_clicked_queries
from magpie.web.app import create_app
from tests.support.clicked_world import browse, make_world

pytestmark = pytest.mark.slow

WORLD = make_world()
(TARGET,) = unwanted_items(WORLD, 1)
HONEST = honest_log(WORLD, 3_000, seed=1)
BOTS_CLICKS = len(HONEST[1]) // 4  # a fifth of all
HIDDEN = Attack("others three times as often", 1, 3)
FOUND = [attack for attack in ATTACKS if attack.clicks_each >= attack.others_each]


def sources(database: Database) -> list[str]:
    with database.reading() as connection:
        return promoting_actors(connection)


def keep(database: Database, *logs: tuple[list, list]) -> None:  # type: ignore[type-arg]
    for queries, events in logs:
        EventLog(database).record_queries(queries)
        EventLog(database).record_events(events)


def test_people_push_nothing(database: Database) -> None:
    keep(database, HONEST)
    assert sources(database) == []


@pytest.mark.parametrize("attack", FOUND, ids=lambda attack: attack.name)
def test_bots_are_found_and_people_are_not(database: Database, attack: Attack) -> None:
    bots = bot_log(WORLD, TARGET, attack, BOTS_CLICKS, seed=7)
    keep(database, HONEST, bots)
    found = filter_spam(database)
    assert len(bots[0]) + len(bots[1]) <= found[PROMOTION] <= 1.05 * (len(bots[0]) + len(bots[1]))
    assert count_filtered(database)[PROMOTION] == found[PROMOTION]
    assert filter_spam(database)[PROMOTION] == 0


def test_people_click_nothing_more_often_than_they_look() -> None:
    cells = browse(WORLD, 4_000)
    kept = without_overclicked(cells, choose_click_model(cells).model)
    assert len(kept) == len(cells) and kept.num_clicks == cells.num_clicks


def test_hidden_bots_click_it_more_often_than_it_is_looked_at(database: Database) -> None:
    keep(database, HONEST, bot_log(WORLD, TARGET, HIDDEN, BOTS_CLICKS, seed=7))
    refresh_click_aggregates(database)
    cells = read_click_aggregates(database)
    kept = without_overclicked(cells, choose_click_model(cells).model)
    target = cells.items.index(TARGET)
    assert BOTS_CLICKS // 4 <= cells.num_clicks - kept.num_clicks <= BOTS_CLICKS // 3
    assert set(np.unique(kept.item)) >= set(np.unique(cells.item)) - {target}


def test_who_pushes_from_hiding_is_found_by_what_else_they_do(database: Database) -> None:
    keep(database, HONEST)
    refresh_click_aggregates(database)
    honest = read_click_aggregates(database)
    keep(database, bot_log(WORLD, TARGET, HIDDEN, BOTS_CLICKS, seed=7))
    refresh_click_aggregates(database)
    cells = read_click_aggregates(database)
    kept, browsing = without_promoters(database, cells, choose_click_model(cells))
    assert 0.97 * honest.num_clicks <= kept.num_clicks <= honest.num_clicks == cells.num_clicks - BOTS_CLICKS
    theirs, before = (each.where(each.item == each.items.index(TARGET)) for each in (kept, honest))
    assert 0 < theirs.impressions.sum() < before.impressions.sum()
    assert theirs.num_clicks <= before.num_clicks
    assert browsing.model.name == choose_click_model(honest).model.name


def test_where_nobody_pushes_everybody_judges(database: Database) -> None:
    keep(database, HONEST)
    refresh_click_aggregates(database)
    cells = read_click_aggregates(database)
    browsing = choose_click_model(cells)
    kept, same = without_promoters(database, cells, browsing)
    assert len(kept) == len(cells) and kept.num_clicks == cells.num_clicks and same is browsing


def lately(log: Log) -> Log:
    """The same log, ended just now."""
    by = now_ms() - max(query.timestamp_ms for query in log[0]) - DAY_MS
    queries, events = ([replace(one, timestamp_ms=one.timestamp_ms + by) for one in part] for part in log)
    return queries, events  # type: ignore[return-value]


def test_hidden_bots_make_nothing_popular(database: Database) -> None:
    keep(database, *map(lately, (HONEST, bot_log(WORLD, TARGET, HIDDEN, BOTS_CLICKS, seed=7))))
    unmeasured = Popularity(database, 2)
    assert max(unmeasured.rates, key=lambda item: unmeasured.rates[item]) == TARGET and not unmeasured.promoted
    measured = Popularity(database, 2, lambda: 1 / np.arange(1, 21))
    assert set(unmeasured.rates) - set(measured.rates) == {TARGET} == measured.promoted


def test_hidden_bots_lay_no_queries_into_what_they_push(database: Database, settings: Settings) -> None:
    keep(database, HONEST)
    honest = set(gather_clicked_queries(settings, database))
    keep(database, bot_log(WORLD, TARGET, HIDDEN, BOTS_CLICKS, seed=7))
    assert TARGET in clicked_queries(database, fewest_clients=settings.min_clients)
    led = gather_clicked_queries(settings, database)
    assert TARGET not in led and len(set(led) & honest) >= 0.8 * len(honest)


def test_who_pushes_without_searching_is_found(database: Database) -> None:
    bots = [EventRecord("add_to_cart", "", f"bot {n}", timestamp_ms=START_MS, object_id=TARGET) for n in range(500)]
    keep(database, HONEST, ([], bots))
    assert filter_spam(database)[PROMOTION] >= 500
    assert TARGET not in {item for item, count in count_items(database, 0).items() if count.people > 20}


def test_a_server_sets_aside_who_pushes_without_waiting_for_training(own_shop: Settings) -> None:
    with closing(open_database(own_shop)) as database:
        keep(database, *map(lately, (HONEST, bot_log(WORLD, TARGET, ATTACKS[0], BOTS_CLICKS, seed=7))))
    app = create_app(own_shop)
    try:
        popularity = app.extensions["magpie"].engine.popularity
        for _ in range(600):
            if popularity.searched:  # counted, after what nobody should learn from was set aside
                break
            time.sleep(0.1)
        assert count_filtered(app.extensions["magpie"].database)[PROMOTION] >= 2 * BOTS_CLICKS
        rates = popularity.rates
        assert rates.get(TARGET, 0.0) < float(np.median(list(rates.values())))
    finally:
        app.extensions["magpie"].close()


def test_an_item_that_bots_push_keeps_its_rank_for_people(tmp_path: Path) -> None:
    folders = iter([tmp_path / "without", tmp_path / "with"])
    found, aside = rises(WORLD, TARGET, Attack("once", 1), HONEST, lambda: next(folders))
    assert found and max(found) <= 1 and aside[PROMOTION]
