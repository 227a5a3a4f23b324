"""Taste is learned where people have one, and off where they have none."""

import random

import pytest

from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.personalisation.taste import ASSUMED, read_taste
from magpie.search.ranker_training.fit_taste import FEWEST_SEARCHES, learn_taste
from tests.support.shop import COLOURS

KINDS = ("ball", "box", "ring", "kite")


def browse(database: Database, sessions: int, has_taste: bool) -> None:
    """Sessions of three searches; who has a taste clicks what has their colour, and little else."""
    log, chance = EventLog(database), random.Random(0)
    colours = list(COLOURS)
    for number in range(sessions):
        favourite = chance.choice(colours)
        for search, kind in enumerate(chance.sample(KINDS, 3)):
            shown = [f"{kind}-{colour}" for colour in chance.sample(colours, len(colours))]
            name = f"q{number}-{search}"
            hits = tuple(ShownHit(item, place) for place, item in enumerate(shown, 1))
            log.record_queries([QueryRecord(name, kind, session_id=f"s{number}", hits=hits)])
            for item in shown:
                wanted = (0.9 if item.endswith(favourite) else 0.1) if has_taste else 0.2
                if chance.random() < wanted:
                    log.record_events([EventRecord("click", name, object_id=item, session_id=f"s{number}")])


def learn(settings: Settings, database: Database) -> dict[str, float] | None:
    engine = SearchEngine(settings, database)
    taste = learn_taste(settings, database, engine.serving.segments, lambda asked: engine.first_stage(asked)[0])
    engine.close()
    return None if taste is None else dict(taste.weights)


@pytest.mark.slow
@pytest.mark.parametrize("has_taste", [True, False])
def test_a_taste_is_learned_where_there_is_one(own_shop: Settings, shop_database: Database, has_taste: bool) -> None:
    browse(shop_database, FEWEST_SEARCHES, has_taste)
    weights = learn(own_shop, shop_database)
    assert weights is not None and read_taste(own_shop).others == 0
    assert (weights.get("colour", 0.0) > 0) is has_taste
    assert any(weights.values()) is has_taste


def test_few_sessions_leave_what_is_assumed(own_shop: Settings, shop_database: Database) -> None:
    browse(shop_database, 3, True)
    assert learn(own_shop, shop_database) is None
    assert read_taste(own_shop) == ASSUMED
    own_shop.rankers_dir.mkdir(exist_ok=True)
    (own_shop.rankers_dir / "taste.json").write_text("[]")
    assert read_taste(own_shop) == ASSUMED
