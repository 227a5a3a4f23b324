"""A forest expects what LightGBM's own trees do, also of what is not known."""

from typing import Any

import lightgbm
import numpy as np
import pytest

from magpie.search.ranker.tree_inference import forest_of

QUIET = {"num_leaves": 15, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, "seed": 1}


def grown(values: np.ndarray, **parameters: Any) -> lightgbm.Booster:
    labels = np.exp(np.nan_to_num(values[:, 0]) - np.abs(np.nan_to_num(values[:, 1])))
    return lightgbm.train(QUIET | parameters, lightgbm.Dataset(values, labels, params=QUIET), 40)


def drawn(unknown: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(5)
    values = chance.normal(size=(800, 4)).astype(np.float32)
    values[chance.random(values.shape) < unknown] = np.nan
    return values


@pytest.mark.parametrize("objective", ["poisson", "regression"])
@pytest.mark.parametrize(("learned", "asked"), [(0.0, 0.0), (0.3, 0.3), (0.0, 0.3)])
def test_it_expects_what_lightgbm_does(objective: str, learned: float, asked: float) -> None:
    booster, values = grown(drawn(learned), objective=objective), drawn(asked)
    forest = forest_of(booster.dump_model())
    assert np.ptp(forest.predict(values)) > 0
    assert forest.predict(values) == pytest.approx(np.asarray(booster.predict(values)), rel=1e-9)


def test_values_at_a_threshold_go_left() -> None:
    values = np.repeat(np.arange(4.0), 50)[:, None].repeat(2, axis=1)
    booster = grown(values, objective="regression")
    forest = forest_of(booster.dump_model())
    edges = np.unique(forest.threshold[np.isfinite(forest.threshold)])[:, None].repeat(2, axis=1)
    assert forest.predict(edges) == pytest.approx(np.asarray(booster.predict(edges)), rel=1e-9)


def test_without_splits_all_is_the_same() -> None:
    booster = lightgbm.train(QUIET | {"objective": "poisson"}, lightgbm.Dataset(np.ones((50, 2)), np.ones(50)), 3)
    assert forest_of(booster.dump_model()).predict(np.zeros((3, 2))) == pytest.approx(1.0)


def test_trees_that_do_not_fit_are_refused() -> None:
    booster = grown(drawn(), objective="poisson", num_leaves=31)
    with pytest.raises(ValueError, match="leaves"):
        forest_of(booster.dump_model())
    zero = grown(np.where(drawn() > 1, 0, drawn()), objective="poisson", zero_as_missing=True)
    with pytest.raises(ValueError, match="Zero"):
        forest_of(zero.dump_model())
