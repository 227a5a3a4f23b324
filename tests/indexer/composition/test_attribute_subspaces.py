"""Composition: "this, but in red" swaps the component in one attribute subspace and keeps the rest."""

from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.composition.attribute_subspaces import AttributeSubspaces, SubspaceSwap, fit_subspace, gather_words
from magpie.indexer.vectors import unit_rows

DIM = 24
RNG = np.random.default_rng(0)
AXES = np.linalg.qr(RNG.standard_normal((DIM, DIM)))[0].astype(np.float32)
COLOURS = {name: AXES[k] for k, name in enumerate(["red", "green", "blue", "dark blue", "black"])}
THINGS = {"mug": AXES[10], "hat": AXES[11]}


def vector(colour: str, thing: str) -> np.ndarray:
    return unit_rows((COLOURS[colour] + THINGS[thing])[None])[0]


@pytest.fixture
def subspaces() -> AttributeSubspaces:
    return AttributeSubspaces({"colour": fit_subspace(list(COLOURS), np.stack(list(COLOURS.values())))})


@pytest.mark.parametrize("text", ["in green", "green please", "the same in green"])
def test_the_colour_is_swapped_and_the_thing_stays(subspaces: AttributeSubspaces, text: str) -> None:
    composed = subspaces.compose(vector("red", "mug"), text, COLOURS["green"])
    ranked = sorted(((c, t) for c in COLOURS for t in THINGS), key=lambda ct: -float(vector(*ct) @ composed))
    assert ranked[0] == ("green", "mug")
    assert float(composed @ COLOURS["red"]) < 0.15


def test_the_longest_name_counts(subspaces: AttributeSubspaces) -> None:
    named, rest = subspaces._subspaces_named("in dark blue with handles")
    assert len(named) == 1
    assert rest == ["handles"]


def test_words_outside_all_subspaces_are_added(subspaces: AttributeSubspaces) -> None:
    mug = vector("red", "mug")
    composed = subspaces.compose(mug, "with a hat", THINGS["hat"])
    np.testing.assert_allclose(composed, unit_rows((mug + THINGS["hat"])[None])[0], atol=1e-6)


def test_similarity_sees_only_the_subspace(subspaces: AttributeSubspaces) -> None:
    subspace = subspaces.subspace_of("blue")
    assert subspace is subspaces.subspaces["colour"]
    assert subspaces.subspace_of("blue hat") is None
    similarity = subspace.similarity(
        np.stack([vector("blue", "mug"), vector("blue", "hat"), vector("red", "mug")]), COLOURS["blue"]
    )
    assert similarity[0] > 0.9 and similarity[1] > 0.9
    assert similarity[2] < 0.3


def test_subspaces_survive_being_saved(subspaces: AttributeSubspaces, tmp_path: Path) -> None:
    subspaces.save(tmp_path)
    loaded = AttributeSubspaces.load(tmp_path)
    before = subspaces.compose(vector("red", "mug"), "blue", COLOURS["blue"])
    np.testing.assert_allclose(loaded.compose(vector("red", "mug"), "blue", COLOURS["blue"]), before, atol=1e-6)


def test_columns_join_the_lexicon_by_slot() -> None:
    gathered = gather_words(
        {"colour": ["red", "blue", "green", "black"]},
        {"base_colour": "colour", "style": None, "size": None},
        {"base_colour": ["Mint"], "style": ["modern", "rustic", "boho", "art deco"], "size": ["S", "M"]},
    )
    assert gathered == {
        "colour": ["red", "blue", "green", "black", "mint"],
        "style": ["modern", "rustic", "boho", "art deco"],
    }


def test_a_part_is_swapped_by_the_amounts_learned_for_it(subspaces: AttributeSubspaces, tmp_path: Path) -> None:
    partly = AttributeSubspaces(subspaces.subspaces, {"text": SubspaceSwap(0.5, 0.8)})
    partly.save(tmp_path)
    subspace, mug = subspaces.subspaces["colour"], vector("red", "mug")
    expected = mug - 0.5 * subspace.component(mug) + 0.8 * subspace.component(COLOURS["green"])
    for known in (partly, AttributeSubspaces.load(tmp_path)):
        composed = known.compose(mug, "green", COLOURS["green"], "text")
        np.testing.assert_allclose(composed, unit_rows(expected[None])[0], atol=1e-6)
        in_full = known.compose(mug, "green", COLOURS["green"], "image")
        np.testing.assert_allclose(in_full, subspaces.compose(mug, "green", COLOURS["green"]), atol=1e-6)
