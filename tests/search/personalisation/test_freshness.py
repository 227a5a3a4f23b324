"""New items gain a little, where the owner says so: an addend that is bounded, and nothing among items of one age."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import update

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database
from magpie.data.database.tables import items
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest, SearchResult

DAY_S = 86_400.0
WEIGHT, HALF_LIFE_DAYS = 0.5, 10.0


@pytest.fixture
def fresh_settings(own_shop: Settings) -> Settings:
    return own_shop.model_copy(
        update={"freshness_weight": WEIGHT, "freshness_half_life_days": HALF_LIFE_DAYS, "explore_share": 0.0}
    )


@pytest.fixture
def open_engine(shop_database: Database) -> Iterator[object]:
    opened: list[SearchEngine] = []

    def open_it(settings: Settings) -> SearchEngine:
        opened.append(SearchEngine(settings, shop_database))
        return opened[-1]

    yield open_it
    for engine in opened:
        engine.close()


def come(database: Database, days_ago: float, *item_ids: str) -> None:
    """These items (all of them without names) have been there for so long."""
    with database.writing() as connection:
        changed = update(items).values(created_at=time.time() - days_ago * DAY_S)
        connection.execute(changed.where(items.c.item_id.in_(item_ids)) if item_ids else changed)


def rings(engine: SearchEngine, **fields: object) -> SearchResult:
    return engine.search(SearchRequest(text="ring", k=32, explain=True, **fields))  # type: ignore[arg-type]


def order(result: SearchResult) -> list[str]:
    return [hit.item_id for hit in result.hits]


def test_a_new_item_gains_what_its_age_says(
    own_shop: Settings, fresh_settings: Settings, shop_database: Database, open_engine
) -> None:
    plain = rings(open_engine(own_shop))
    come(shop_database, 1000.5)
    come(shop_database, 0.5, "ring-black")
    come(shop_database, HALF_LIFE_DAYS + 0.5, "ring-blue")
    found = rings(open_engine(fresh_settings))
    gains = {hit.item_id: hit.explain["freshness"] for hit in found.hits if hit.explain}
    spread = float(np.std([hit.score for hit in plain.hits[:60]]))
    oldest = 0.5 ** (1000 / HALF_LIFE_DAYS)
    assert gains["ring-black"] == pytest.approx(WEIGHT * spread * (1 - oldest), rel=1e-3)
    assert gains["ring-blue"] == pytest.approx(WEIGHT * spread * (0.5 - oldest), rel=1e-3)
    assert gains["ring-red"] == 0
    assert order(found).index("ring-black") <= order(plain).index("ring-black")


def test_the_addends_sum_to_the_score(fresh_settings: Settings, shop_database: Database, open_engine) -> None:
    come(shop_database, 400)
    come(shop_database, 3, "ring-red", "box-red", "kite-blue")
    hits = rings(open_engine(fresh_settings)).hits
    assert all(sum(hit.explain.values()) == pytest.approx(hit.score, abs=1e-5) for hit in hits if hit.explain)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_items_of_one_import_are_of_one_age(own_shop: Settings, fresh_settings: Settings, open_engine) -> None:
    plain, fresh = rings(open_engine(own_shop)), rings(open_engine(fresh_settings))
    assert order(plain) == order(fresh) and [one.score for one in plain.hits] == [one.score for one in fresh.hits]
    assert not any("freshness" in hit.explain for hit in fresh.hits if hit.explain)


def test_age_says_nothing_unless_the_owner_wants_it(
    own_shop: Settings, fresh_settings: Settings, shop_database: Database, open_engine
) -> None:
    plain = order(rings(open_engine(own_shop)))
    come(shop_database, 400)
    come(shop_database, 0, *plain[-3:])
    assert order(rings(open_engine(own_shop))) == plain
    engine = open_engine(fresh_settings)
    assert order(rings(engine, rerank=False)) == plain
    prices = [hit.price for hit in rings(engine, sort="price").hits if hit.price is not None]
    assert prices == sorted(prices)


def test_an_item_that_comes_while_serving_is_new_and_a_changed_one_stays_old(
    fresh_settings: Settings, shop_database: Database, open_engine
) -> None:
    come(shop_database, 400.5)
    engine = open_engine(fresh_settings)
    rings(engine)
    catalogue = Catalogue(shop_database, fresh_settings)
    drafts = [ItemDraft(item_id="new", title="Silver ring"), ItemDraft(item_id="ring-red", title="Red ring!")]
    catalogue.upsert(drafts, fresh_settings.home)
    engine.refresh()
    gains = {hit.item_id: (hit.explain or {})["freshness"] for hit in rings(engine).hits}
    assert gains["new"] == max(gains.values()) > 0 and gains["ring-red"] == 0
