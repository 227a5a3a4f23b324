"""Resemblance: part compared with part, expectations in place of what is missing, addends that sum."""

import numpy as np
import pytest

from magpie.indexer.vectors import unit_rows
from magpie.search.live_index.segment import Segment
from magpie.search.query.more_like_this import Example, Expectation, compare_with
from tests.support.segments import segment_of

DIM = 24


@pytest.fixture
def shop() -> Segment:
    """A hundred items whose texts and pictures agree; 0 lacks its picture, 1 its text, 2 has a text without sense."""
    rng = np.random.default_rng(0)
    text = unit_rows(rng.standard_normal((100, DIM)).astype(np.float32))
    image = unit_rows(text + 0.5 * unit_rows(rng.standard_normal((100, DIM)).astype(np.float32)))
    image[0], text[1] = 0, 0
    weights = np.full(100, 0.7, np.float32)
    weights[0], weights[1], weights[2] = 1, 0, 0
    return segment_of(text, image, weights)


def unchanged(vector: np.ndarray, part: str) -> np.ndarray:
    return vector


def test_a_telling_text_decides_and_a_silent_one_leaves_it_to_the_picture(shop: Segment) -> None:
    parts = shop.parts_of(50)
    rows = np.arange(3, 100)
    text = shop.parts["text"][rows].astype(np.float32) @ parts["text"]
    image = shop.parts["image"][rows].astype(np.float32) @ parts["image"]
    informativeness = compare_with(Example(parts, 1.0), shop.reference_sample, unchanged).similarity(shop, rows)
    silent = compare_with(Example(parts, 0.0), shop.reference_sample, unchanged).similarity(shop, rows)
    np.testing.assert_allclose(informativeness, 0.9 * text + 0.1 * image, atol=1e-5)
    np.testing.assert_allclose(silent, image, atol=1e-5)


def test_addends_sum_to_the_similarity_and_come_from_parts_that_are_there(shop: Segment) -> None:
    comparison = compare_with(Example(shop.parts_of(50), 1.0), shop.reference_sample, unchanged)
    addends, rows = comparison.addends(shop, np.arange(100)), np.arange(100)
    np.testing.assert_allclose(addends["text"] + addends["image"], comparison.similarity(shop, rows))
    assert addends["image"][0] == 0
    assert addends["text"][1] == 0
    assert addends["text"][2] == 0


def test_an_item_without_text_gets_what_its_picture_lets_one_expect(shop: Segment) -> None:
    twin = shop.parts_of(1)
    whole = compare_with(
        Example({"text": twin["image"], "image": twin["image"]}, 1.0), shop.reference_sample, unchanged
    )
    scores = whole.similarity(shop, np.arange(100))
    assert scores.argmax() == 1


@pytest.mark.parametrize("row", [0, 1])
def test_an_example_with_one_part_is_compared_with_both(shop: Segment, row: int) -> None:
    comparison = compare_with(Example(shop.parts_of(row), 1.0), shop.reference_sample, unchanged)
    assert comparison.similarity(shop, np.arange(100)).argmax() == row
    np.testing.assert_array_equal(comparison.vectors["text"], comparison.vectors["image"])


def test_the_composition_is_made_in_each_part(shop: Segment) -> None:
    opposite = compare_with(Example(shop.parts_of(50), 1.0), shop.reference_sample, lambda vector, part: -vector)
    assert opposite.similarity(shop, np.arange(3, 100)).argmin() == 50 - 3


def test_expectations_follow_the_line_and_never_fall() -> None:
    known = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(Expectation.fit(known, 1 + 0.5 * known).of(np.array([4.0])), [3.0])
    np.testing.assert_allclose(Expectation.fit(known, -known).of(known), [-1.0] * 3)
    np.testing.assert_allclose(Expectation.fit(known[:0], known[:0]).of(known), known)


def test_a_catalogue_without_pairs_has_an_empty_yardstick() -> None:
    text = unit_rows(np.random.default_rng(1).standard_normal((5, DIM)).astype(np.float32))
    shop = segment_of(text, np.zeros_like(text), np.ones(5, np.float32))
    assert shop.reference_sample.typical_informativeness == 1.0
    comparison = compare_with(Example(shop.parts_of(3), 1.0), shop.reference_sample, unchanged)
    assert comparison.similarity(shop, np.arange(5)).argmax() == 3
