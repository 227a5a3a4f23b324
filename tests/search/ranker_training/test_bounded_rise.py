"""What is pushed by clicks alone rises by few places a training; what words promise rises freely."""

from dataclasses import replace

import numpy as np
import pytest

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import ClickModel
from magpie.search.click_models.debiased_rates import count_pairs
from magpie.search.click_models.position_bias import measure_propensities
from magpie.search.ranker.click_statistics import gather_click_statistics
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker_training.bounded_rise import MOST_PLACES, bound_rises
from magpie.search.ranker_training.fit_ranker import fit_ranker
from magpie.search.ranker_training.off_policy_gate import places_of
from tests.support.clicked_world import World, browse, make_world

pytestmark = pytest.mark.slow
KEY = "query 0"


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


def trained(world: World, cells: ClickAggregates) -> Ranker:
    model = ClickModel(measure_propensities(cells))
    return fit_ranker(gather_click_statistics(count_pairs(cells, model), world.stages, world.numbers), world.stages)


def places(world: World, ranker: Ranker) -> np.ndarray:
    stage = world.stages[KEY]
    return places_of(ranker.scores(stage, KEY, ranker.features(stage, KEY)), ranker.depth)


def test_what_is_pushed_rises_by_few_places(world: World) -> None:
    cells = browse(world, 4_000)
    before = trained(world, cells)
    stood = places(world, before)
    pushed = int(np.argmax(stood * (np.arange(len(stood)) < 10)))  # shown, and the last of these by now
    item = cells.items.index(str(world.stages[KEY].ids[pushed]))
    own = (cells.query == cells.queries.index(KEY)) & (cells.item == item)
    after = trained(world, replace(cells, clicks=np.where(own, cells.impressions, cells.clicks)))
    assert stood[pushed] - places(world, after)[pushed] > MOST_PLACES
    bounded, held = bound_rises(after, before, world.stages)
    assert held >= 1
    assert stood[pushed] - places(world, bounded)[pushed] <= MOST_PLACES
    assert bounded.statistics.counts[1].sum() < after.statistics.counts[1].sum()


def test_the_first_ranker_is_not_bounded(world: World) -> None:
    ranker = trained(world, browse(world, 2_000))
    assert bound_rises(ranker, None, world.stages) == (ranker, 0)
