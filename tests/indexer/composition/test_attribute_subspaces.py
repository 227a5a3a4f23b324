"""Composition: "this, but in red" exchanges what a family of words tells about and keeps the rest."""

from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.composition.attribute_subspaces import Concepts, Exchange, gather_words, make_family
from magpie.indexer.vectors import unit_rows

DIM = 24
RNG = np.random.default_rng(0)
AXES = np.linalg.qr(RNG.standard_normal((DIM, DIM)))[0].astype(np.float32)
COLOURS = {name: AXES[k] for k, name in enumerate(["red", "green", "blue", "dark blue", "black"])}
THINGS = {"mug": AXES[10], "hat": AXES[11]}


def vector(colour: str, thing: str) -> np.ndarray:
    return unit_rows((COLOURS[colour] + THINGS[thing])[None])[0]


@pytest.fixture
def concepts() -> Concepts:
    return Concepts({"colour": make_family(list(COLOURS), np.stack(list(COLOURS.values())))})


@pytest.mark.parametrize("text", ["in green", "green please", "the same in green"])
def test_the_colour_is_exchanged_and_the_thing_stays(concepts: Concepts, text: str) -> None:
    composed = concepts.compose(vector("red", "mug"), text, COLOURS["green"])
    ranked = sorted(((c, t) for c in COLOURS for t in THINGS), key=lambda ct: -float(vector(*ct) @ composed))
    assert ranked[0] == ("green", "mug")
    assert float(composed @ COLOURS["red"]) < 0.15


def test_the_longest_name_counts(concepts: Concepts) -> None:
    named, rest = concepts._families_named("in dark blue with handles")
    assert len(named) == 1
    assert rest == ["handles"]


def test_words_outside_all_families_are_added(concepts: Concepts) -> None:
    mug = vector("red", "mug")
    composed = concepts.compose(mug, "with a hat", THINGS["hat"])
    np.testing.assert_allclose(composed, unit_rows((mug + THINGS["hat"])[None])[0], atol=1e-6)


def test_likeness_sees_only_the_family(concepts: Concepts) -> None:
    family = concepts.family_of("blue")
    assert family is concepts.families["colour"]
    assert concepts.family_of("blue hat") is None
    likeness = family.likeness(
        np.stack([vector("blue", "mug"), vector("blue", "hat"), vector("red", "mug")]), COLOURS["blue"]
    )
    assert likeness[0] > 0.9 and likeness[1] > 0.9
    assert likeness[2] < 0.3


def test_concepts_survive_being_saved(concepts: Concepts, tmp_path: Path) -> None:
    concepts.save(tmp_path)
    loaded = Concepts.load(tmp_path)
    before = concepts.compose(vector("red", "mug"), "blue", COLOURS["blue"])
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


def test_a_part_exchanges_by_the_amounts_that_were_learned_for_it(concepts: Concepts, tmp_path: Path) -> None:
    partly = Concepts(concepts.families, {"text": Exchange(0.5, 0.8)})
    partly.save(tmp_path)
    family, mug = concepts.families["colour"], vector("red", "mug")
    expected = mug - 0.5 * family.component(mug) + 0.8 * family.component(COLOURS["green"])
    for known in (partly, Concepts.load(tmp_path)):
        composed = known.compose(mug, "green", COLOURS["green"], "text")
        np.testing.assert_allclose(composed, unit_rows(expected[None])[0], atol=1e-6)
        in_full = known.compose(mug, "green", COLOURS["green"], "image")
        np.testing.assert_allclose(in_full, concepts.compose(mug, "green", COLOURS["green"]), atol=1e-6)
