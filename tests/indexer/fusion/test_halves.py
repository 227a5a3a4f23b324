"""Fused rows of two halves: their sum is the fused vector, and a query weighs text and picture on its own side."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from magpie.indexer.fusion.average_fusion import fuse
from magpie.indexer.fusion.halves import fuse_all, fuse_halves, halves_of, stand_twice, sum_halves
from magpie.indexer.fusion.missing_part_imputation import plain_average
from magpie.indexer.vectors import unit_rows

DIM = 6
ROWS = arrays(np.float32, (5, DIM), elements=st.floats(-1, 1, width=32))


def random_parts(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    parts = {name: unit_rows(rng.standard_normal((count, DIM)).astype(np.float32)) for name in ("text", "image")}
    parts["text"][::3] = 0
    parts["image"][1::3] = 0
    return parts


@given(ROWS, ROWS)
def test_the_sum_of_the_halves_is_the_fused_vector(text: np.ndarray, image: np.ndarray) -> None:
    contributions = {"text": text, "image": image}
    np.testing.assert_allclose(sum_halves(fuse_halves(contributions)), fuse(contributions), atol=1e-3)


def test_each_half_is_what_its_part_contributes() -> None:
    parts, weights = random_parts(30), np.full(30, 0.7, np.float32)
    contributions = plain_average(DIM).contributions(parts, weights)
    lengths = np.linalg.norm(contributions["text"] + contributions["image"], axis=1, keepdims=True)
    for name, half in halves_of(fuse_halves(contributions)).items():
        np.testing.assert_allclose(half, contributions[name] / lengths, atol=1e-6)


def test_a_query_weighs_the_halves_on_its_own_side() -> None:
    parts, weights = random_parts(30), np.full(30, 0.7, np.float32)
    fused = fuse_halves(plain_average(DIM).contributions(parts, weights))
    query = unit_rows(np.random.default_rng(1).standard_normal((1, DIM)).astype(np.float32))[0]
    halves = halves_of(fused)
    np.testing.assert_allclose(fused @ stand_twice(query), sum_halves(fused) @ query, atol=1e-6)
    expected = 1.5 * halves["text"] @ query + 0.25 * halves["image"] @ query
    np.testing.assert_allclose(fused @ stand_twice(query, 1.5, 0.25), expected, atol=1e-6)


def test_a_catalogue_of_several_blocks_is_fused_like_its_items_one_by_one() -> None:
    parts, weights = random_parts(9_000), np.full(9_000, 0.7, np.float32)
    fused = fuse_all(plain_average(DIM), parts, weights)
    at = np.array([0, 1, 2, 8_191, 8_192, 8_999])
    alone = fuse_halves(plain_average(DIM).contributions({n: p[at] for n, p in parts.items()}, weights[at]))
    np.testing.assert_allclose(fused[at], alone, atol=1e-6)


def test_an_empty_catalogue_has_no_rows() -> None:
    empty = np.zeros((0, DIM), np.float32)
    assert fuse_all(plain_average(DIM), {"text": empty, "image": empty}, empty[:, 0]).shape == (0, 2 * DIM)
