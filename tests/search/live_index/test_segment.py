"""A segment of fused halves, and the same one as an older Magpie built it: (n, dim) sums of the halves."""

from dataclasses import replace

import numpy as np
import pytest

from magpie.indexer.fusion.halves import stand_twice, sum_halves
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage
from magpie.indexer.vectors import unit_rows
from magpie.search.live_index.segment import Segment
from tests.support.segments import segment_of

DIM, NUM = 8, 240


@pytest.fixture(scope="module")
def segment() -> Segment:
    """Texts that resemble the pictures; every fifth item lacks its text, every seventh its picture."""
    rng = np.random.default_rng(0)
    image = unit_rows(rng.standard_normal((NUM, DIM)).astype(np.float32))
    text = unit_rows(image + 0.3 * rng.standard_normal((NUM, DIM)).astype(np.float32))
    text[::5], image[1::7] = 0, 0
    weights = np.where(image.any(axis=1), 0.4, 1.0).astype(np.float32) * text.any(axis=1)
    return segment_of(text, image, weights, ImputedAverage.fit({"text": text, "image": image}, weights))


def test_an_older_index_has_the_same_own_vectors_and_halves(segment: Segment) -> None:
    older, rows = replace(segment, fused=sum_halves(segment.fused).astype(np.float16)), np.arange(NUM)
    assert segment.has_halves and not older.has_halves
    np.testing.assert_allclose(older.own_vectors(rows), segment.own_vectors(rows), atol=2e-3)
    np.testing.assert_allclose(older.text_halves(rows), segment.text_halves(rows), atol=4e-3)


def test_a_query_has_the_same_similarity_in_an_older_index(segment: Segment) -> None:
    older = replace(segment, fused=sum_halves(segment.fused).astype(np.float16))
    query = np.asarray(segment.parts["image"][0], np.float32)
    np.testing.assert_array_equal(segment.fused_query(query, 0.5, 2.0), stand_twice(query, 0.5, 2.0))
    expected = older.fused.astype(np.float32) @ older.fused_query(query)
    np.testing.assert_allclose(segment.fused.astype(np.float32) @ segment.fused_query(query), expected, atol=4e-3)
    with_text, without = segment.with_and_without_words
    for now, before in zip((with_text, without), older.with_and_without_words, strict=True):
        np.testing.assert_allclose(now @ stand_twice(query), before @ query, atol=4e-3)


def test_a_row_without_parts_has_no_vector(segment: Segment) -> None:
    nothing = np.flatnonzero(~segment.parts["text"].any(axis=1) & ~segment.parts["image"].any(axis=1))
    assert len(nothing) and segment.vector_of(int(nothing[0]), "hybrid") is None
