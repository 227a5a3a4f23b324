"""The quick ways give what numpy's general ones give."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from magpie.indexer.indexes.fast_arrays import best_first, widened


def test_every_finite_half_is_widened_exactly() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert np.array_equal(widened(halves).view(np.uint32), halves.astype(np.float32).view(np.uint32))
    assert widened(halves[:60_000].reshape(-1, 6)).shape == (10_000, 6)


FEW = st.sampled_from([0.0, -0.0, 0.5, -0.5, 1e-30, -1e-30, float(np.float32(1.3e30))])


@given(arrays.arrays(np.float32, st.integers(0, 40), elements=FEW | st.floats(-2, 2, width=32)), st.randoms())
def test_places_by_score_and_then_by_row(scores: np.ndarray, chance: random.Random) -> None:
    rows = np.array(chance.sample(range(2**32 - 1), len(scores)), np.int64)
    assert np.array_equal(best_first(scores, rows), np.lexsort((rows, -scores)))
