"""Trees expect rates, do not know their own fold, and are followed for new queries as far as clicks allow."""

from dataclasses import replace

import numpy as np
import pytest

from magpie.search.click_models.click_models import ClickModel, split_by_day
from magpie.search.click_models.debiased_rates import count_pairs
from magpie.search.click_models.position_bias import measure_propensities
from magpie.search.ranker.click_statistics import FOLDS, ClickStatistics, gather_click_statistics
from magpie.search.ranker.features import NAMES
from magpie.search.ranker.ranker import LEAST_SHARE
from magpie.search.ranker_training.cold_query_share import SHARES, with_new_share
from magpie.search.ranker_training.fit_ranker import fit_ranker, training_rows
from magpie.search.ranker_training.gradient_boosting import Rows, grow_trees
from magpie.search.ranker_training.off_policy_gate import JudgingDays
from tests.support.clicked_world import World, browse, make_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def halves(world: World) -> tuple[ClickStatistics, ClickStatistics]:
    """The statistics of the earlier and of the later days."""
    cells = browse(world, 8_000)
    model = ClickModel(measure_propensities(cells))
    early, late = split_by_day(cells, 0.25)
    return tuple(  # type: ignore[return-value]
        gather_click_statistics(count_pairs(part, model), stages, world.numbers)
        for part, stages in ((early, world.stages), (late, {}))
    )


@pytest.fixture(scope="module")
def rows(world: World, halves: tuple[ClickStatistics, ClickStatistics]) -> Rows:
    return training_rows(halves[0], world.stages)


def test_expected_rates_follow_the_clicks(rows: Rows) -> None:
    trees = grow_trees(rows, FOLDS)
    rates = trees.rates(FOLDS, rows.values)
    assert (rates > 0).all()
    assert float((rates * rows.expected).sum()) == pytest.approx(float(rows.clicks.sum()), rel=0.15)
    high = rates > np.median(rates)
    assert rows.clicks[high].sum() / rows.expected[high].sum() > rows.clicks[~high].sum() / rows.expected[~high].sum()


def test_what_is_liked_anyway_is_not_learned_as_fit(rows: Rows) -> None:
    liked = np.where(np.arange(len(rows.fold)) % 2, 2.0, 1.0)
    adored = replace(rows, clicks=rows.clicks * liked, appeal=rows.appeal * liked)
    usual, raised = (grow_trees(each, FOLDS).rates(FOLDS, rows.values) for each in (rows, adored))
    assert raised.mean() == pytest.approx(usual.mean(), rel=0.1)
    assert np.corrcoef(np.log(usual), np.log(raised))[0, 1] > 0.9


def test_a_booster_never_saw_its_fold(rows: Rows) -> None:
    changed = replace(rows, clicks=np.where(rows.fold == 0, 5 * rows.expected, rows.clicks))
    before, after = (grow_trees(each, FOLDS).forests for each in (rows, changed))
    assert np.array_equal(before[0].leaves, after[0].leaves)
    assert not np.array_equal(before[1].leaves, after[1].leaves)


def test_without_rows_all_rates_are_alike(rows: Rows) -> None:
    nothing = rows.where(np.zeros(len(rows.fold), bool))
    rates = grow_trees(nothing, FOLDS).rates(0, np.random.default_rng(0).random((5, len(NAMES))))
    assert np.ptp(rates) == 0


def test_trees_are_followed_for_new_queries_as_far_as_left_out_ones_say(world: World) -> None:
    cells = browse(world, 8_000)
    statistics = gather_click_statistics(
        count_pairs(cells, ClickModel(measure_propensities(cells))), world.stages, world.numbers
    )
    ranker = fit_ranker(statistics, world.stages)
    values = {key: ranker.features(stage, key) for key, stage in world.stages.items()}
    judges = JudgingDays.of(cells, world.stages, world.numbers), ClickModel(measure_propensities(cells))
    good = with_new_share(ranker, values, *judges)
    assert good.new_share in SHARES and good.statistics is ranker.statistics
    forests = [replace(forest, leaves=-4 * forest.leaves) for forest in ranker.trees.forests]  # most is least
    bad = replace(ranker, trees=replace(ranker.trees, forests=forests))
    assert with_new_share(bad, values, *judges).new_share == LEAST_SHARE
