"""From counted clicks to a ranker: propensities, browsing models, statistics, the gate. The truth is simulated."""

import json
from dataclasses import replace

import numpy as np
import pytest

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.data.errors import RankerBroken
from magpie.data.settings import Settings
from magpie.search.click_models.click_models import ClickModel, choose_click_model
from magpie.search.click_models.debiased_rates import count_pairs
from magpie.search.click_models.position_bias import POSITIONS, assumed_propensities, measure_propensities
from magpie.search.ranker.click_statistics import gather_click_statistics
from magpie.search.ranker.features import NAMES, features
from magpie.search.ranker.first_stage_arrays import FirstStage
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker.ranker_store import current_ranker, open_ranker, publish_ranker, ranker_versions, save_ranker
from magpie.search.ranker.trees import Trees
from magpie.search.ranker_training.off_policy_gate import (
    DISCOUNTS,
    NOTHING,
    Estimate,
    JudgingDays,
    Swapped,
    compare_swapped,
    decide,
    estimate,
    harmed,
    places_of,
)
from magpie.search.ranker_training.placebo import dealt_by_position
from magpie.search.ranker_training.train_ranker import learn
from tests.support.clicked_world import SHOWN, World, browse, expected_clicks, make_world

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> World:
    return make_world()


@pytest.fixture(scope="module")
def cells(world: World) -> ClickAggregates:
    return browse(world, 8_000)


@pytest.fixture(scope="module")
def ranker(world: World, cells: ClickAggregates) -> Ranker:
    learned, verdict = learn(cells, choose_click_model(cells), world.stages, world.numbers)
    assert verdict.is_better, verdict.reason
    return learned


def test_propensities_are_found_from_swaps(cells: ClickAggregates) -> None:
    found = measure_propensities(cells)
    wanted = 1 / np.arange(1, SHOWN + 1)
    assert np.abs(found.theta[:SHOWN] - wanted).max() < 0.05
    assert np.abs(found.theta[:SHOWN] - wanted)[1:].mean() < 2 * found.se[1:SHOWN].mean()
    assert found.is_measured


def test_a_fall_of_any_shape_is_found(world: World) -> None:
    """Nobody scrolls beyond the fifth hit without need; items rise and sink by themselves, none is swapped."""
    looks = np.array([1.0, 0.95, 0.9, 0.85, 0.8, 0.3, 0.28, 0.26, 0.24, 0.22])
    item, position = (grid.ravel() for grid in np.meshgrid(np.arange(40), np.arange(1, SHOWN + 1)))
    shown = 50 + (item * 7 + position * 13) % 40  # every item was everywhere, though not equally often
    clicks = np.random.default_rng(5).poisson(shown * looks[position - 1] * (0.1 + 0.02 * (item % 20)))
    none = np.zeros(len(item), np.int64)
    columns = (none, none, none, item % 10, item, position, none, shown, clicks, none)
    names = ([str(number) for number in range(10)], [str(number) for number in range(40)], ["first-stage"], [""])
    found = measure_propensities(ClickAggregates(*names, *columns))
    assert found.theta[:SHOWN] == pytest.approx(looks, abs=0.08)
    assert found.theta[4] - found.theta[5] > 0.3  # a power law through these falls by less than .1 there


def test_without_comparisons_propensities_are_assumed(cells: ClickAggregates) -> None:
    found = measure_propensities(cells.where(np.zeros(len(cells), bool)))
    assert not found.is_measured
    assert found.theta == pytest.approx(1 / np.arange(1, POSITIONS + 1))
    assert found.se[9] == pytest.approx(0.1 * np.log(10))  # the power law's exponent is known within 1
    assert found.cautious.theta == pytest.approx(np.ones(POSITIONS))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, 2.0])
def test_the_error_of_a_curve_covers_the_truth(world: World, eta: float) -> None:
    runs = [measure_propensities(browse(world, 4_000, seed, swaps=0.1, eta=eta)) for seed in range(5)]
    within = [abs(np.log(found.theta[9] * 10**eta)) <= 2 * found.se[9] / found.theta[9] for found in runs]
    assert sum(within) >= 4
    assert all(found.flattest.theta[9] >= found.theta[9] for found in runs)


def test_propensities_fall_on_beyond_the_measured_positions() -> None:
    assert assumed_propensities().at(np.array([1, 20, 40, 200])) == pytest.approx([1, 1 / 20, 1 / 40, 1 / 200])


def test_each_way_of_browsing_is_recognised(world: World, cells: ClickAggregates) -> None:
    found = choose_click_model(cells)
    assert found.model.name == "position"
    assert set(found.advantages) == {"cascade", "trust"}
    report = choose_click_model(browse(world, 8_000, cascade=True))
    assert report.as_dict()["chosen"] == "cascade"
    assert report.advantages["cascade"][0] > 0
    looks = report.model.examination(np.array([3, 3]), np.array([0, 2]))
    assert looks[1] < looks[0]  # who was content with a hit looks at none below it


def test_trust_in_high_positions_is_taken_off_the_clicks(cells: ClickAggregates) -> None:
    model = ClickModel(measure_propensities(cells), trust=0.2)
    trusted = count_pairs(cells, model).clicks.sum()
    owed = (model.exposure(cells) * 0.2 / cells.position).sum()
    assert count_pairs(cells, replace(model, trust=0.0)).clicks.sum() - trusted == pytest.approx(owed, rel=0.2)


def test_exposure_corrects_what_position_does_to_rates(world: World, cells: ClickAggregates) -> None:
    pairs = count_pairs(cells, ClickModel(measure_propensities(cells)))
    truth = np.array(
        [
            world.wants[pairs.queries[q]][np.flatnonzero(world.stages[pairs.queries[q]].ids == i)[0]]
            for q, i in zip(pairs.query, pairs.item, strict=True)
        ]
    )
    often = pairs.exposure > 50
    raw = np.bincount(cells.query * 1000 + cells.item, cells.clicks, 60_401)[pairs.query * 1000 + pairs.item]
    shown = np.bincount(cells.query * 1000 + cells.item, cells.impressions, 60_401)[pairs.query * 1000 + pairs.item]
    corrected = np.abs(pairs.clicks / pairs.exposure - truth)[often].mean()
    assert corrected < 0.5 * np.abs(raw / shown - truth)[often].mean()


def test_counts_fade_with_their_half_life(cells: ClickAggregates) -> None:
    old = replace(cells, day=np.where(np.arange(len(cells)) == 0, 30, 0))
    model = ClickModel(assumed_propensities())
    faded = count_pairs(old, model).clicks.sum() - old.clicks[0]
    assert faded == pytest.approx((old.clicks.sum() - old.clicks[0]) / 2)


def test_features_do_not_know_the_querys_own_clicks(world: World, cells: ClickAggregates) -> None:
    key, number = "query 0", 0
    model = ClickModel(assumed_propensities())
    doubled = replace(cells, clicks=np.where(cells.query == number, cells.impressions, cells.clicks))
    seen = [
        features(world.stages[key], gather_click_statistics(count_pairs(each, model), world.stages, world.numbers), key)
        for each in (cells, doubled)
    ]
    # the usual rate, towards which every query is drawn, is all that its own clicks may move
    assert seen[0] == pytest.approx(seen[1], abs=0.05, nan_ok=True)
    assert seen[0].shape == (30, len(NAMES))


def test_known_queries_gain_true_clicks(world: World, ranker: Ranker) -> None:
    asked = [key for key in world.stages if ranker.statistics.knows(key)]
    before = sum(expected_clicks(world, key, np.arange(30)) for key in asked)
    after = sum(expected_clicks(world, key, ranker.order(world.stages[key], key)) for key in asked)
    assert after > 1.1 * before


def test_what_is_bought_rises_where_conversions_count(world: World, cells: ClickAggregates) -> None:
    """Every other item is bought whenever it is clicked, the others never."""
    buyable = cells.item % 2 == 0
    sold = replace(cells, conversions=np.where(buyable, cells.clicks, 0))
    tops = []
    for weight in (0.0, 3.0):
        aim = sold.with_conversions(weight)
        ranker, _ = learn(aim, choose_click_model(cells), world.stages, world.numbers)
        heads = [stage.ids[ranker.order(stage, key)[:5]] for key, stage in world.stages.items()]
        tops.append(float(np.mean(np.concatenate(heads) % 2 == 0)))
    assert tops[1] > tops[0] + 0.1


def test_an_order_is_a_permutation(world: World, ranker: Ranker) -> None:
    for key in ("query 0", "never asked"):
        order = ranker.order(world.stages["query 0"], key)
        assert sorted(order) == list(range(len(order)))


def test_what_is_hardly_known_is_drawn_into_many_places(world: World, ranker: Ranker) -> None:
    key = "query 0"
    stage = world.stages[key]
    values, own = ranker.features(stage, key), ranker.statistics.of_query(key, stage.ids)
    drawn = ranker.drawn_orders(stage, key, values, seed=1, draws=400)
    assert drawn.shape == (400, 30) and all(sorted(order) == list(range(30)) for order in drawn)
    places = np.argsort(drawn, axis=1)
    usual = np.argsort(ranker.order_by(stage, key, values))
    assert np.corrcoef(places.mean(axis=0), usual)[0, 1] > 0.8
    shown = own.exposure > 50
    sure = replace(ranker, statistics=replace(ranker.statistics, counts=1000 * ranker.statistics.counts))
    steady = np.argsort(sure.drawn_orders(stage, key, values, seed=1, draws=400), axis=1)
    assert steady.std(axis=0)[shown].mean() < 0.7 * places.std(axis=0)[shown].mean()  # the others still jump
    again = ranker.drawn_orders(stage, key, values, seed=1, draws=2)
    assert (again[0] == ranker.drawn_orders(stage, key, values, seed=1, draws=2)[0]).all()


def test_an_order_is_worth_what_people_want_at_its_top(world: World) -> None:
    """Of two hits that were shown in turns, the second is clicked three times as often when it is looked at."""
    stage = replace(FirstStage.blank(2, 4), ids=np.array([1, 2]))
    item, position = np.array([0, 1, 1, 0]), np.array([1, 2, 1, 2])
    none, shown = np.zeros(4, np.int64), np.full(4, 4_000)
    clicks = (shown * np.array([0.1, 0.3, 0.3, 0.1]) / position).astype(int)
    cells = ClickAggregates(
        ["q"], ["1", "2"], [""], [""], none, none, none, none, item, position, none, shown, clicks, none
    )
    days = JudgingDays.of(cells, {"q": stage}, {"1": 1, "2": 2})
    turned = {"q": places_of(np.array([0.0, 1.0]), 2)}
    sure = replace(assumed_propensities(), covariance=np.zeros((POSITIONS, POSITIONS)), num_pairs=1)
    found = estimate(turned, days, ClickModel(sure))
    first, second = DISCOUNTS[:2]
    assert found.lift == pytest.approx((0.3 * first + 0.1 * second) / (0.1 * first + 0.3 * second) - 1, rel=0.01)
    assert found.coverage == 1 and found.queries == 1
    taken = compare_swapped(turned, days)
    assert taken.z > 10 and compare_swapped({"q": np.arange(2)}, days) == Swapped(0.0, 0)
    assert estimate({}, JudgingDays.of(cells, {}, {}), ClickModel(sure)) == NOTHING


def test_noise_alone_harms_no_query() -> None:
    random = np.random.default_rng(0)
    noise = np.full(200, 0.2**2)
    assert harmed(0.3 + random.normal(0, 0.2, 200), noise)[0] < 0.02
    assert harmed(random.normal(0, 0.3, 200), np.full(200, 0.01))[0] > 0.3


def test_a_placebo_keeps_what_positions_and_queries_get(cells: ClickAggregates) -> None:
    dealt = dealt_by_position(cells)
    assert dealt.clicks.sum() == pytest.approx(cells.clicks.sum(), rel=0.05)
    by_position = [np.bincount(one.position, one.clicks)[1:] for one in (cells, dealt)]
    assert by_position[1] == pytest.approx(by_position[0], rel=0.2, abs=30)


@pytest.mark.parametrize(
    ("known", "placebo", "swapped", "clicks", "words"),
    [
        ({}, {}, Swapped(3.0, 90), 299, "Only 299 clicks"),
        ({"coverage": 0.5}, {}, Swapped(3.0, 90), 900, "shows only 50%"),
        ({}, {}, Swapped(-0.1, 90), 900, "took turns"),
        ({"lower": -0.01}, {}, Swapped(1.0, 90), 900, "not surely better"),
        ({"lift": 0.1}, {"lift": 0.2}, Swapped(3.0, 90), 900, "dealt out by position"),
        ({"most_harmed": 0.5}, {}, Swapped(3.0, 90), 900, "may lose"),
        ({"lower": -0.01}, {"lower": -0.2}, Swapped(3.0, 90), 900, ""),  # proven without any curve
        ({}, {}, Swapped(0.0, 0), 900, ""),
    ],
)
def test_the_gate_says_why(
    known: dict[str, float], placebo: dict[str, float], swapped: Swapped, clicks: float, words: str
) -> None:
    good = Estimate(0.2, 0.1, 0.3, 1.0, 0.0, 0.05, 40)
    nothing = Estimate(0.0, -0.1, 0.1, 1.0, 0.0, 0.05, 40)
    is_better, reason = decide(replace(good, **known), replace(nothing, **placebo), swapped, True, clicks)
    assert is_better is (words == "")
    assert words in reason


def test_where_nobody_prefers_anything_nothing_is_published(world: World, cells: ClickAggregates) -> None:
    dealt = dealt_by_position(cells)
    _, verdict = learn(dealt, choose_click_model(dealt), world.stages, world.numbers)
    assert not verdict.is_better, verdict.reason


def test_a_version_comes_back_as_it_was(settings: Settings, world: World, ranker: Ranker) -> None:
    version = save_ranker(settings, ranker, "encoder-1", {"publish": True})
    assert current_ranker(settings) is None
    publish_ranker(settings, version)
    assert current_ranker(settings) == version
    opened = open_ranker(settings, version, "encoder-1")
    for key in ("query 0", "never asked"):
        stage = world.stages["query 0"]
        values = ranker.features(stage, key)
        assert opened.features(stage, key) == pytest.approx(values, nan_ok=True)
        assert opened.scores(stage, key, values) == pytest.approx(ranker.scores(stage, key, values))
    with pytest.raises(RankerBroken, match="fingerprint"):
        open_ranker(settings, version, "encoder-2")
    (settings.rankers_dir / version / "trees-0.npz").unlink()
    with pytest.raises(RankerBroken, match="train ranker"):
        open_ranker(settings, version, "encoder-1")


def test_a_ranker_of_lists_that_an_older_magpie_trained_orders_as_before(settings: Settings, ranker: Ranker) -> None:
    """LambdaMART's sums are no rates: their logarithms are a level plus a slope times the sum."""
    level, slope = -0.4, 0.7
    forests = [replace(forest, is_log=np.array(False)) for forest in ranker.trees.forests]
    version = save_ranker(settings, replace(ranker, trees=Trees(forests)), "encoder", {})
    path = settings.rankers_dir / version / "manifest.json"
    manifest = json.loads(path.read_text()) | {"objective": "lambdamart", "calibration": [level, slope]}
    path.write_text(json.dumps(manifest))
    opened = open_ranker(settings, version, "encoder")
    values = np.random.default_rng(0).normal(size=(50, len(NAMES))).astype(np.float32)
    for fold, forest in enumerate(forests):
        assert opened.trees.rates(fold, values) == pytest.approx(np.exp(level + slope * forest.predict(values)))


def test_old_versions_go_but_not_the_serving_one(settings: Settings, ranker: Ranker) -> None:
    first = save_ranker(settings, ranker, "encoder", {})
    publish_ranker(settings, first)
    for _ in range(6):
        save_ranker(settings, ranker, "encoder", {})
    assert len(ranker_versions(settings)) == 6
    assert first in ranker_versions(settings)
