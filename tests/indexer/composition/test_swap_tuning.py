"""How much a composed query swaps is learned from the catalogue's own pairs, where held-out pairs confirm it."""

from datetime import UTC, datetime

import numpy as np
import pytest

from magpie.data.catalogue.catalogue import Item
from magpie.indexer.composition.attribute_subspaces import Subspace, SubspaceSwap, fit_subspace
from magpie.indexer.composition.swap_tuning import find_pairs, tune_swaps
from magpie.indexer.draws import draw_keys
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.vectors import unit_rows

DIM = 48
AXES = np.linalg.qr(np.random.default_rng(0).standard_normal((DIM, DIM)))[0].astype(np.float32)
COLOURS = {name: AXES[k] for k, name in enumerate(["red", "green", "blue", "black", "white", "pink"])}
KINDS = [f"kind {k}" for k in range(12)]
NUM_ITEMS = 720


def attributes() -> list[dict[str, str]]:
    chance = np.random.default_rng(1)
    return [
        {"type": KINDS[n % len(KINDS)], "colour": list(COLOURS)[chance.integers(len(COLOURS))]}
        for n in range(NUM_ITEMS)
    ]


def columns_of(rows: list[dict[str, str]]) -> Columns:
    builder = ColumnsBuilder({})
    for number, row in enumerate(rows, 1):
        builder.add(
            Item(
                id=number,
                item_id=str(number),
                title="",
                description="",
                category="",
                price=None,
                currency="",
                url="",
                attributes=dict(row),
                pictures=(),
                revision=1,
                updated_at=datetime.now(UTC),
            )
        )
    return builder.build()


def keys_of(rows: list[dict[str, str]]) -> np.ndarray:
    return draw_keys(map(str, range(1, len(rows) + 1)))


def vectors_of(rows: list[dict[str, str]], colour: float) -> np.ndarray:
    """Things whose colour is this long beside their kind, each a little different."""
    kinds = {kind: AXES[10 + k] for k, kind in enumerate(KINDS)}
    exact = np.stack([kinds[row["type"]] + colour * COLOURS[row["colour"]] for row in rows])
    noise = np.random.default_rng(2).standard_normal(exact.shape) * 0.09
    return unit_rows((exact + noise).astype(np.float32))


@pytest.fixture
def subspaces() -> dict[str, Subspace]:
    return {"colour": fit_subspace(list(COLOURS), np.stack(list(COLOURS.values())))}


def encode(words: list[str]) -> np.ndarray:
    return np.stack([COLOURS[word] for word in words])


def test_a_pair_differs_in_one_attribute_alone(subspaces: dict[str, Subspace]) -> None:
    rows = attributes()
    pool, pairs = find_pairs(columns_of(rows), subspaces, keys_of(rows))
    assert len(pool) == NUM_ITEMS and len(pairs) >= 200
    for pair in pairs:
        assert pair.subspace == "colour" and pair.word != rows[pair.base]["colour"]
        wanted = {"type": rows[pair.base]["type"], "colour": pair.word}
        assert sorted(pair.answers) == [row for row in range(NUM_ITEMS) if rows[row] == wanted]


def test_where_the_words_for_colours_tell_of_things_too_less_is_swapped() -> None:
    """As "rose", "olive" and "wood" do: to take out all that they span would take out the kind of thing."""
    things = {f"word {k}": unit_rows((0.5 * AXES[k % 6] + AXES[10 + k])[None])[0] for k in range(len(KINDS))}
    words = COLOURS | things
    subspaces = {"colour": fit_subspace(list(words), np.stack(list(words.values())))}
    rows = attributes()
    swaps, about = tune_swaps({"image": vectors_of(rows, 0.8)}, columns_of(rows), subspaces, encode, keys_of(rows))
    assert swaps["image"].taken < 1
    assert about["image"]["learned"] > about["image"]["in_full"] + 0.02 and about["image"]["p"] < 0.01


def test_where_nothing_is_better_all_is_swapped(subspaces: dict[str, Subspace]) -> None:
    rows = attributes()
    swaps, about = tune_swaps({"text": vectors_of(rows, 1.0)}, columns_of(rows), subspaces, encode, keys_of(rows))
    assert swaps == {}
    assert {"taken": 1.0, "given": 1.0}.items() <= about["text"].items()


def test_without_a_column_for_the_kind_of_thing_nothing_is_learned(subspaces: dict[str, Subspace]) -> None:
    rows = attributes()
    unkinded = columns_of([{"colour": row["colour"]} for row in rows])
    assert tune_swaps({"text": vectors_of(rows, 0.4)}, unkinded, subspaces, encode, keys_of(rows)) == ({}, {})
    assert SubspaceSwap() == SubspaceSwap(1.0, 1.0)
