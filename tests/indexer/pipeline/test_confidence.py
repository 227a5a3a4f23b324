"""The reference for confident answers: nearness by brute force, and a model that tells absent from present queries."""

import numpy as np
import pytest

from magpie.indexer.fusion.halves import stand_twice
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.mix.confidence import ConfidenceModel, evidence_of
from magpie.indexer.mix.mix import EVEN
from magpie.indexer.pipeline.confidence import CalibratedIndex, calibrate_confidence, nearness
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.query_words import analyse_query
from magpie.indexer.vectors import unit_rows

CHANCE = np.random.default_rng(0)
DIM = 16
QUERIES = unit_rows(CHANCE.standard_normal((40, DIM)).astype(np.float32))
TEXTS = [
    ItemText(f"Quilby {10 * n} {colour} {kind}", "", (colour, kind), (colour, kind), kind)
    for n in range(6)
    for colour in ("red", "blue", "green")
    for kind in ("sofa", "vase", "lamp")
]


def encode(some: list[str]) -> np.ndarray:
    """Unit rows that are alike where texts share words."""
    rows = np.zeros((len(some), DIM), np.float32)
    for row, text in zip(rows, some, strict=True):
        for word in text.lower().split():
            row += np.random.default_rng(sum(word.encode())).standard_normal(DIM)
    return unit_rows(rows)


def index_of(fused: np.ndarray, texts: list[ItemText]) -> CalibratedIndex:
    builder = LexicalIndexBuilder()
    for text in texts:
        builder.add(text.searched_fields())
    return CalibratedIndex(builder.finish(), fused, EVEN, encode)


@pytest.mark.parametrize("count", [1, 3, 500, 9_000])  # fewer than three, and more than one block
def test_nearness_is_the_mean_of_the_three_best(count: int) -> None:
    vectors = unit_rows(CHANCE.standard_normal((count, DIM)).astype(np.float32))
    expected = np.sort(QUERIES @ vectors.T, axis=1)[:, -3:].mean(axis=1)
    np.testing.assert_allclose(nearness(QUERIES, vectors), expected, atol=1e-6)


def test_nine_of_ten_queries_come_nearer() -> None:
    halves = unit_rows(CHANCE.standard_normal((500, 2 * DIM)).astype(np.float32))
    limit = calibrate_confidence(index_of(halves, []), [], QUERIES, QUERIES)["probes_p10"]
    assert (nearness(stand_twice(QUERIES), halves) >= limit).mean() == pytest.approx(0.9)


def test_a_picture_of_the_catalogue_does_not_count_as_near_to_itself() -> None:
    own = np.concatenate([0.0 * QUERIES, QUERIES], axis=1)
    limit = calibrate_confidence(index_of(own, []), [], QUERIES, QUERIES)["pictures_p10"]
    others = np.sort(QUERIES @ QUERIES.T, axis=1)[:, -4:-1].mean(axis=1)
    assert limit == pytest.approx(np.quantile(others, 0.1), abs=1e-6)


def test_without_queries_no_nearness_is_enough() -> None:
    nothing = np.zeros((0, 2 * DIM), np.float32)
    assert calibrate_confidence(index_of(nothing, []), [], QUERIES[:0], QUERIES[:0]) == {
        "probes_p10": 1.0,
        "pictures_p10": 1.0,
    }


def test_the_model_tells_what_is_there_from_what_is_not() -> None:
    vectors = encode([text.title for text in TEXTS])
    fused = np.concatenate([vectors, 0.0 * vectors], axis=1)
    about = calibrate_confidence(index_of(fused, TEXTS), TEXTS, QUERIES, QUERIES)
    model = ConfidenceModel(about["intercept"], about["weights"])
    assert min(about["weights"].values()) >= 0

    def chance_of(text: str, unknown: list[str], covered: float, near: float) -> float:
        return float(model.probability(evidence_of(analyse_query(text), unknown, "en", covered, near)))

    assert chance_of("red sofa", [], 1.0, 0.9) > 0.9
    assert chance_of("sofa for a wedding", ["wedding"], 1.0, 0.6) > 0.5
    assert chance_of("red piano", ["piano"], 1.0, 0.3) < 0.5
    assert chance_of("grand piano", ["grand", "piano"], 0.0, 0.2) < 0.1
