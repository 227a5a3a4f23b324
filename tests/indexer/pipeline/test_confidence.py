"""The reference for confident answers: nearness by brute force, and its lowest tenth."""

import numpy as np
import pytest

from magpie.indexer.pipeline.confidence import calibrate_confidence, nearness
from magpie.indexer.vectors import unit_rows

CHANCE = np.random.default_rng(0)
QUERIES = unit_rows(CHANCE.standard_normal((40, 16)).astype(np.float32))


@pytest.mark.parametrize("count", [1, 3, 500, 9_000])  # fewer than three, and more than one block
def test_nearness_is_the_mean_of_the_three_best(count: int) -> None:
    vectors = unit_rows(CHANCE.standard_normal((count, 16)).astype(np.float32))
    expected = np.sort(QUERIES @ vectors.T, axis=1)[:, -3:].mean(axis=1)
    np.testing.assert_allclose(nearness(QUERIES, vectors), expected, atol=1e-6)


def test_nine_of_ten_queries_come_nearer() -> None:
    vectors = unit_rows(CHANCE.standard_normal((500, 16)).astype(np.float32))
    limit = calibrate_confidence(QUERIES, vectors)["probes_p10"]
    assert (nearness(QUERIES, vectors) >= limit).mean() == pytest.approx(0.9)


def test_without_queries_no_nearness_is_enough() -> None:
    assert calibrate_confidence(QUERIES[:0], QUERIES) == {"probes_p10": 1.0}
    assert calibrate_confidence(QUERIES, QUERIES[:0]) == {"probes_p10": 0.0}
