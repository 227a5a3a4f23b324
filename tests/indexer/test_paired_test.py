"""nDCG against its formula, and the paired test against scipy's."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from magpie.indexer.paired_test import Comparison, ndcg


def test_ndcg_of_a_known_order() -> None:
    scores = np.array([[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]])
    relevant = np.array([[False, True, True], [False, False, True]])
    ideal = 1 + 1 / math.log2(3)
    np.testing.assert_allclose(ndcg(scores, relevant), [(1 / math.log2(3) + 1 / math.log2(4)) / ideal, 1.0])


def test_the_p_value_is_that_of_a_paired_t_test_of_many_queries() -> None:
    chance = np.random.default_rng(0)
    baseline = chance.random(5_000)
    candidate = baseline + chance.normal(0.01, 0.4, 5_000)
    found = Comparison.of(baseline, candidate)
    assert found.p == pytest.approx(ttest_rel(candidate, baseline).pvalue, abs=1e-3)
    assert found.gain == pytest.approx(candidate.mean() - baseline.mean(), abs=1e-4)


def test_the_same_figures_differ_by_nothing_and_a_clear_gain_is_significant() -> None:
    figures = np.random.default_rng(1).random(200)
    assert Comparison.of(figures, figures) == Comparison(found := round(float(figures.mean()), 4), found, 1.0)
    better = Comparison.of(figures, figures + np.linspace(0.05, 0.15, 200))
    assert better.is_significant and better.gain == pytest.approx(0.1, abs=1e-3)
