"""How far people look by layout: each its own curve where many saw it, that of all where few did."""

from dataclasses import replace

import numpy as np
import pytest
from werkzeug.datastructures import Headers

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import ClickModel, choose_click_model
from magpie.search.click_models.debiased_rates import count_pairs
from magpie.search.click_models.layout_bias import draw_towards, measure_by_layout
from magpie.search.click_models.position_bias import Propensities, measure_propensities
from magpie.web.page.layout import is_phone
from tests.support.clicked_world import SHOWN, browse, make_world

POSITIONS = np.arange(1, SHOWN + 1)


@pytest.fixture(scope="module")
def cells() -> ClickAggregates:
    """Half of the searches in a grid, looked at far down, and half in a list, looked at hardly."""
    world = make_world()
    logs = [browse(world, 6_000, seed, eta=eta) for seed, eta in enumerate((0.4, 1.4))]
    names = ("day", "ranker", "query", "item", "position", "after", "impressions", "clicks", "conversions")
    columns = {name: np.concatenate([getattr(log, name) for log in logs]) for name in names}
    layout = np.repeat([0, 1], [len(log) for log in logs])
    return replace(logs[0], layouts=["grid", "list"], layout=layout, **columns)


def error(found: Propensities, eta: float) -> float:
    return float(np.abs(found.theta[:SHOWN] - POSITIONS**-eta).mean())


def test_each_layout_has_its_own_curve(cells: ClickAggregates) -> None:
    pooled = measure_propensities(cells)
    found = measure_by_layout(cells, pooled)
    for name, eta in (("grid", 0.4), ("list", 1.4)):
        assert error(found[name], eta) < 0.5 * error(pooled, eta)
        assert found[name].theta[0] == 1
        assert (found[name].se[1:] > 0).all()


def test_a_layout_that_few_saw_uses_the_curve_of_all(cells: ClickAggregates) -> None:
    few = cells.where((cells.layout == 0) | (np.arange(len(cells)) % 40 == 0))
    assert set(measure_by_layout(few, measure_propensities(few))) == {"grid"}


def test_what_is_thin_is_drawn_towards_all(cells: ClickAggregates) -> None:
    pooled = measure_propensities(cells)
    own = measure_propensities(cells.where(cells.layout == 1))
    doubts = (doubt**2 * np.diag(np.arange(len(own.theta)) > 0).astype(float) for doubt in (1e-3, 10.0))
    sure, unsure = (draw_towards(replace(own, covariance=doubt), pooled).theta for doubt in doubts)
    assert sure == pytest.approx(own.theta, rel=0.02)
    assert unsure == pytest.approx(pooled.theta, rel=0.1)


def test_an_unnamed_layout_is_no_layout(cells: ClickAggregates) -> None:
    assert measure_by_layout(replace(cells, layouts=["", ""]), measure_propensities(cells)) == {}


def test_exposures_are_those_of_the_layout(cells: ClickAggregates) -> None:
    report = choose_click_model(cells)
    assert set(report.as_dict()["layouts"]) == {"grid", "list"}
    assert report.model.name == "position"  # people who look differently by layout are no cascade
    by_layout = report.model.exposure(cells)
    pooled = ClickModel(report.propensities).exposure(cells)
    low = cells.position > 5
    assert (by_layout[low & (cells.layout == 0)] > pooled[low & (cells.layout == 0)]).all()
    assert (by_layout[low & (cells.layout == 1)] < pooled[low & (cells.layout == 1)]).all()
    assert count_pairs(cells, report.model).exposure.sum() == pytest.approx(by_layout.sum(), rel=0.2)


@pytest.mark.parametrize(
    ("headers", "phone"),
    [
        ({"User-Agent": "Mozilla/5.0 (iPhone; …) Version/17 Mobile/15E148 Safari"}, True),
        ({"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140"}, False),
        ({"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "Sec-CH-UA-Mobile": "?1"}, True),
        ({"User-Agent": "… Mobile …", "Sec-CH-UA-Mobile": "?0"}, False),
        ({}, False),
    ],
)
def test_phones_are_known_by_what_they_say(headers: dict[str, str], phone: bool) -> None:
    assert is_phone(Headers(headers)) is phone
