"""Fusion: unit rows, missing parts, and texts weighed by what they tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from magpie.indexer.draws import draw_keys
from magpie.indexer.fusion.average_fusion import Means, TextWeighing, estimate_means, fuse
from magpie.indexer.fusion.missing_part_imputation import plain_average
from magpie.indexer.vectors import unit_rows

ROWS = arrays(np.float32, (5, 4), elements=st.floats(-1, 1, width=32))


@given(ROWS, ROWS, st.floats(0, 1))
def test_fused_rows_have_unit_length_or_are_zero(text: np.ndarray, image: np.ndarray, weight: float) -> None:
    weights = np.full(5, weight, np.float32)
    fused = fuse(
        plain_average(text.shape[1]).contributions({"text": unit_rows(text), "image": unit_rows(image)}, weights)
    )
    lengths = np.linalg.norm(fused, axis=1)
    assert all(abs(length - 1) < 1e-4 or length == 0 for length in lengths)


def test_an_item_with_one_part_is_that_part() -> None:
    text, image = np.array([[0.6, 0.8], [0, 0]], np.float32), np.array([[0, 0], [1, 0]], np.float32)
    weights = TextWeighing(0, 1, 1, 1).weigh({"text": text, "image": image}, np.zeros(len(text)))
    fused = fuse(plain_average(text.shape[1]).contributions({"text": text, "image": image}, weights))
    np.testing.assert_allclose(fused, [[0.6, 0.8], [1, 0]], atol=1e-6)


def test_centring_takes_out_the_mean_and_keeps_missing_rows_missing() -> None:
    means = Means({"text": np.array([1, 0], np.float32)})
    centred = means.centre("text", np.array([[1, 1], [0, 0]], np.float32))
    np.testing.assert_allclose(centred, [[0, 1], [0, 0]])


def test_the_mean_of_few_vectors_is_drawn_to_the_prior() -> None:
    vectors = np.tile(np.array([[1, 0]], np.float32), (50, 1))
    prior = np.array([0, 1], np.float32)
    means = estimate_means({"text": vectors}, vectors[:0], {"text": prior})
    np.testing.assert_allclose(means.by_modality["text"], (50 * vectors[0] + 50 * prior) / (50 + 50))
    np.testing.assert_allclose(means.by_modality["query"], 0)


def test_without_a_prior_few_vectors_are_drawn_to_zero() -> None:
    vectors = np.tile(np.array([[1, 0]], np.float32), (8, 1))
    means = estimate_means({"text": vectors}, vectors, {})
    np.testing.assert_allclose(means.by_modality["text"], [8 / (8 + 2), 0])


def test_means_survive_being_saved(tmp_path) -> None:
    means = Means({"text": np.array([1, 2], np.float32), "image": np.array([3, 4], np.float32)})
    means.save(tmp_path / "means.npz")
    loaded = Means.load(tmp_path / "means.npz")
    np.testing.assert_array_equal(loaded.by_modality["image"], [3, 4])


def test_a_text_that_names_several_things_counts_whatever_the_picture_says() -> None:
    rng = np.random.default_rng(3)
    text, image = (unit_rows(rng.standard_normal((4, 32)).astype(np.float32)) for _ in range(2))
    weighing = TextWeighing(mean=0.0, deviation=0.2, typical=2.5, best=3.6)
    silent = weighing.weigh({"text": text, "image": image}, np.array([0, 1, 1, 0]))
    telling = weighing.weigh({"text": text, "image": image}, np.array([3, 4, 9, 3]))
    assert silent.max() < 0.3
    np.testing.assert_allclose(telling, 0.7)


def test_pictures_that_the_encoder_does_not_understand_do_not_silence_the_texts() -> None:
    rng = np.random.default_rng(2)
    text, image = (unit_rows(rng.standard_normal((400, 32)).astype(np.float32)) for _ in range(2))
    weights = TextWeighing.fit(
        {"text": text, "image": image}, np.zeros(len(text)), draw_keys(map(str, range(len(text))))
    ).weigh({"text": text, "image": image}, np.zeros(len(text)))
    assert weights.min() > 0.4


@pytest.mark.parametrize("informative", [True, False])
def test_a_text_that_says_nothing_gets_little_weight(informative: bool) -> None:
    rng = np.random.default_rng(1)
    image = unit_rows(rng.standard_normal((300, 32)).astype(np.float32))
    noise = unit_rows(rng.standard_normal((300, 32)).astype(np.float32))
    text = unit_rows(image + 0.5 * noise)
    text[150:] = noise[150:]  # half of the items have texts that do not go with their picture
    weights = TextWeighing.fit(
        {"text": text, "image": image}, np.zeros(len(text)), draw_keys(map(str, range(len(text))))
    ).weigh({"text": text, "image": image}, np.zeros(len(text)))
    assert (weights[:150].mean() > 2 * weights[150:].mean()) if informative else (weights[150:].mean() < 0.25)


def test_where_the_lexicon_knows_the_language_a_silent_text_must_agree_better() -> None:
    rng = np.random.default_rng(4)
    image = unit_rows(rng.standard_normal((300, 32)).astype(np.float32))
    text = unit_rows(image + 0.8 * unit_rows(rng.standard_normal((300, 32)).astype(np.float32)) * rng.random((300, 1)))
    parts, named = {"text": text.astype(np.float32), "image": image}, np.zeros(300, int)
    foreign = TextWeighing.fit(parts, named, draw_keys(map(str, range(len(named))))).weigh(parts, named)
    named[:100] = 1
    understood = TextWeighing.fit(parts, named, draw_keys(map(str, range(len(named))))).weigh(parts, named)
    assert (understood <= foreign).all()
    assert understood.mean() < foreign.mean()
