"""Click-through with the bias taken out, and intervals: against formulas, scipy, and a world whose truth is known."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from magpie.data.aggregates.position_counts import PositionCount
from magpie.data.aggregates.query_sessions import read_searches
from magpie.data.database.connection import Database
from magpie.data.settings import Settings
from magpie.search.click_models.position_bias import Propensities, measure_propensities
from magpie.search.click_models.saved_bias import PositionBias, read_position_bias, save_position_bias
from magpie.search.confidence_intervals import Z, around, even_by_factor, share_of
from magpie.search.reports.debiased_ctr import click_through
from magpie.search.reports.ranker_history import count_ranker_use, read_standings
from tests.support.clicked_world import browse, make_world
from tests.support.insights_log import people, search


@pytest.mark.parametrize(("part", "whole"), [(0, 5), (3, 7), (50, 50), (120, 4_000)])
def test_shares_have_wilsons_interval(part: int, whole: int) -> None:
    found, expected = share_of(part, whole), binomtest(part, whole).proportion_ci(0.95, "wilson")
    assert found is not None and found.value == part / whole
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_intervals_of_estimates() -> None:
    assert share_of(0, 0) is None
    assert around(0.1, 0.05).low == pytest.approx(0.1 - Z * 0.05)
    even = even_by_factor(0.9, 0.2, most=1.0)
    assert (even.low, even.high) == (pytest.approx(0.9 / math.exp(Z * 0.2)), 1.0)


def test_clicks_per_look_divide_by_looks_and_keep_both_doubts() -> None:
    looks = PositionBias(Propensities(np.array([1.0, 0.5]), np.diag([0.0, 0.2**2]), 1))
    first, second = click_through([PositionCount(1, 100, 9, 25), PositionCount(2, 100, 9, 16)], looks)
    assert (first.raw.value, first.debiased.value) == (0.25, 0.25)
    assert second.debiased.value == pytest.approx(0.16 / 0.5)
    assert second.debiased.high == pytest.approx(0.32 * math.exp(Z * math.hypot(0.1 / 0.5, 1 / math.sqrt(16))))


def test_the_bias_is_taken_out_of_a_world_where_position_is_all_there_is() -> None:
    world = make_world()
    world = type(world)(world.stages, {key: np.full_like(wants, 0.4) for key, wants in world.wants.items()})
    cells = browse(world, 20_000)
    sums = [[int(x[cells.position == k].sum()) for k in range(1, 11)] for x in (cells.impressions, cells.clicks)]
    counts = [PositionCount(k, shown, 99, clicks) for k, (shown, clicks) in enumerate(zip(*sums, strict=True), 1)]
    found = click_through(counts, PositionBias(measure_propensities(cells)))
    assert found[9].raw.value < 0.15 * found[0].raw.value
    assert all(one.debiased.low < 0.42 and one.debiased.high > 0.38 for one in found)
    assert all(0.3 < one.debiased.value < 0.5 for one in found)


def test_what_training_measured_is_kept(settings: Settings) -> None:
    assert not read_position_bias(settings).propensities.is_measured
    cells = browse(make_world(), 3_000)
    save_position_bias(settings, cells, measure_propensities(cells))
    kept = read_position_bias(settings)
    assert kept.propensities.is_measured and (kept.days, kept.clicks) == (6, cells.num_clicks)
    assert kept.at(1).value == 1.0 and kept.at(5).low < kept.at(5).value < kept.at(5).high <= 1.0


def test_rankings_are_told_apart_by_people(database: Database) -> None:
    search(database, "ball", people(8), clicked=1, ranker="a")
    search(database, "box", people(8), ranker="a")
    search(database, "box", people(8), clicked=2, ranker="b")
    search(database, "box", people(2), ranker="c")
    search(database, "", people(8), ranker="b", picture=True)
    found = {one.ranker: one for one in count_ranker_use(read_searches(database, 0), min_people=3)}
    assert found.keys() == {"a", "b"}
    assert (found["a"].searches, found["a"].people) == (16, 8)
    # every person clicked in one of two searches, so people do not differ at all
    assert (found["a"].clicked.value, found["a"].clicked.low) == (0.5, pytest.approx(0.5))
    assert found["b"].reciprocal_rank.value == pytest.approx(1 / 2)


def test_standings_come_from_the_manifests(settings: Settings) -> None:
    folder = settings.rankers_dir / "000001-20260101T000000"
    folder.mkdir(parents=True)
    known = '{"lift": 0.1, "lower": 0.06, "upper": 0.14, "queries": 40}'
    report = f'{{"publish": true, "reason": "Better.", "known": {known}, "new": null, "placebo": null}}'
    (folder / "manifest.json").write_text(f'{{"created_at": "2026-01-01T00:00:00+00:00", "report": {report}}}')
    (settings.rankers_dir / "CURRENT").write_text(folder.name)
    (standing,) = read_standings(settings)
    assert (standing.is_serving, standing.number, standing.queries, standing.placebo) == (True, "1", 40, None)
    assert standing.known is not None and standing.known.low == 0.06
