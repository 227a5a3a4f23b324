"""Low prices are preferred mildly, within the kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.search.retrieval.price_preference import _MOST, price_gains


def test_the_cheapest_of_each_category_gains_most_and_the_dearest_nothing() -> None:
    prices = np.array([10.0, 30.0, 20.0, 500.0, 400.0, np.nan, 7.0])
    categories = np.array(["lamp", "lamp", "lamp", "sofa", "sofa", "sofa", "rug"])
    assert price_gains(prices, categories) == pytest.approx(np.array([1, 0, 0.5, 0, 1, 0, 0]) * _MOST)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from("abc")), max_size=30))
def test_gains_are_bounded_and_fall_with_the_price(items: list[tuple[float, str]]) -> None:
    prices, categories = np.array([price for price, _ in items]), np.array([name for _, name in items])
    gains = price_gains(prices, categories)
    assert len(gains) == len(items) and ((gains >= 0) & (gains <= _MOST + 1e-6)).all()
    for (a, name), gain in zip(items, gains, strict=True):
        assert all(other <= gain + 1e-6 for (b, of), other in zip(items, gains, strict=True) if of == name and b > a)
