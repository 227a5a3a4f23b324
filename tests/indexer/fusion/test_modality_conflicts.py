"""Items whose picture was exchanged are found where texts are informative, and nowhere else, with a true precision."""

from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.draws import draw_keys
from magpie.indexer.fusion.modality_conflicts import (
    category_numbers,
    describe_conflicts,
    find_conflicts,
    load_conflicts,
    save_conflicts,
)
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.vectors import unit_rows

COUNT = 1200
KEYS = draw_keys(map(str, range(COUNT)))
ALL_ONE = np.zeros(COUNT, np.int64)
IDS = [f"id{n}" for n in range(COUNT)]
TITLES = [f"Thing {n}" for n in range(COUNT)]


def parts(noise: float = 0.6, num_kinds: int = 4) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Texts near their pictures, both around the middle of their kind; and the kinds."""
    rng = np.random.default_rng(0)
    kinds = np.arange(COUNT) % num_kinds
    middles = rng.standard_normal((num_kinds, 32))
    pictures = unit_rows((middles[kinds] + rng.standard_normal((COUNT, 32))).astype(np.float32))
    slack = rng.exponential(noise, (COUNT, 1))
    texts = unit_rows((pictures + slack * unit_rows(rng.standard_normal((COUNT, 32)))).astype(np.float32))
    centred = {"text": texts - texts.mean(axis=0), "image": pictures - pictures.mean(axis=0)}
    return {name: unit_rows(rows) for name, rows in centred.items()}, kinds


def exchange(vectors: np.ndarray, share: float) -> np.ndarray:
    """Gives this share of the rows the vector of a row of another kind; which ones, (n,) bool."""
    rows = np.random.default_rng(1).choice(COUNT, int(share * COUNT), replace=False)
    vectors[rows] = vectors[(rows + 1) % COUNT]
    return np.isin(np.arange(COUNT), rows)


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_exchanged_pictures_are_found_with_the_precision_that_is_stated(share: float) -> None:
    torn, kinds = parts(0.3)
    is_wrong = exchange(torn["image"], share)
    found = find_conflicts(torn, kinds, KEYS)
    assert found.precision is not None and found.precision >= 0.9
    assert is_wrong[found.rows].mean() == pytest.approx(found.precision, abs=0.12)
    assert is_wrong[found.rows].sum() / is_wrong.sum() > 0.6
    assert list(found.agreement) == sorted(found.agreement)
    assert found.is_picture_masked[is_wrong[found.rows]].mean() > 0.9


def test_texts_that_do_not_fit_their_category_are_blamed_themselves() -> None:
    torn, kinds = parts(0.3)
    is_wrong = exchange(torn["text"], 0.05)
    found = find_conflicts(torn, kinds, KEYS)
    assert found.is_picture_masked[is_wrong[found.rows]].mean() < 0.5


def test_a_sound_catalogue_has_next_to_none() -> None:
    assert len(find_conflicts(*parts(0.3), KEYS).rows) <= 0.005 * COUNT


def test_texts_that_say_nothing_contradict_nothing() -> None:
    vague, kinds = parts()
    vague["text"][100:] = unit_rows(np.random.default_rng(2).standard_normal((COUNT - 100, 32)).astype(np.float32))
    found = find_conflicts(vague, kinds, KEYS)
    assert len(found.rows) == 0 and found.precision is None


def test_an_item_without_a_picture_contradicts_nothing() -> None:
    torn, kinds = parts(0.3)
    torn["image"][::2] = 0
    exchange(torn["image"], 0.05)
    assert torn["image"][find_conflicts(torn, kinds, KEYS).rows].any(axis=1).all()


def test_agreement_is_ranked_within_the_category() -> None:
    """A category whose texts fit loosely is no heap of conflicts."""
    torn, kinds = parts(0.3)
    loose = kinds == 0
    noise = unit_rows(np.random.default_rng(3).standard_normal((COUNT, 32)).astype(np.float32))
    torn["text"][loose] = unit_rows(torn["text"][loose] + 1.2 * noise[loose])
    flagged = find_conflicts(torn, kinds, KEYS).rows
    lumped = find_conflicts(torn, ALL_ONE, KEYS).rows
    assert loose[flagged].sum() <= max(3, loose[lumped].sum())
    assert len(flagged) <= 0.01 * COUNT


def test_the_less_credible_part_counts_as_missing() -> None:
    torn, _ = parts(0.3)
    exchange(torn["image"], 0.02)
    found = find_conflicts(torn, np.full(COUNT, -1), KEYS)
    assert found.is_picture_masked.all()  # without categories
    masked = found.mask(torn)
    assert not masked["image"][found.rows].any()
    assert (np.delete(masked["image"], found.rows, axis=0) == np.delete(torn["image"], found.rows, axis=0)).all()
    assert (masked["text"] == torn["text"]).all() and torn["image"][found.rows].any(axis=1).all()


def test_conflicts_are_described_and_kept(tmp_path: Path) -> None:
    torn, kinds = parts(0.3)
    exchange(torn["image"], 0.02)
    found = find_conflicts(torn, kinds, KEYS)
    described = describe_conflicts(found, torn["image"], IDS, TITLES)
    first = int(found.rows[0])
    assert described[0]["item_id"] == IDS[first]
    assert repr(TITLES[first]) in described[0]["reason"]
    assert repr(TITLES[(first + 1) % COUNT]) in described[0]["reason"]  # whose picture it has
    assert described[0]["looks_like"] == IDS[(first + 1) % COUNT] and described[0]["suspect"] in ("picture", "text")
    save_conflicts(described, tmp_path)
    assert load_conflicts(tmp_path) == described


def test_items_without_a_category_have_no_number() -> None:
    assert list(category_numbers(ColumnsBuilder({}).build())) == []
