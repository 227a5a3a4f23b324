"""An item that lacks a part is found as well as its information allows: neither favoured nor buried."""

from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.fusion.average_fusion import fuse
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage, plain_average
from magpie.indexer.vectors import unit_rows
from magpie.search.retrieval.missing_parts import expected_lexical

COUNT, DIM, NUM_KINDS = 900, 16, 6
KINDS = np.arange(COUNT) % NUM_KINDS


def parts() -> dict[str, np.ndarray]:
    """Texts say the kind clearly, pictures faintly: what crowds pictures out of the answers to words."""
    rng = np.random.default_rng(0)
    middles = unit_rows(rng.standard_normal((NUM_KINDS, DIM)).astype(np.float32))
    noise = {name: rng.standard_normal((COUNT, DIM)).astype(np.float32) for name in ("text", "image")}
    made = {"text": middles[KINDS] + 0.15 * noise["text"], "image": 0.7 * middles[KINDS] + 0.25 * noise["image"]}
    return {name: unit_rows(rows) for name, rows in made.items()} | {"query": middles}


def torn() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Parts of which a third lack the picture and a third the text; the queries; who lacks what (0, 1, 2)."""
    made = parts()
    queries = made.pop("query")
    lacks = np.arange(COUNT) // NUM_KINDS % 3
    made["image"][lacks == 1] = 0
    made["text"][lacks == 2] = 0
    return made, queries, lacks


def shares_among_hits(fused: np.ndarray, queries: np.ndarray, lacks: np.ndarray) -> np.ndarray:
    hits = np.argsort(-queries @ fused.T, axis=1)[:, :100]
    return np.bincount(lacks[hits].ravel(), minlength=3) / hits.size


def test_a_missing_part_costs_no_more_than_its_information() -> None:
    made, queries, lacks = torn()
    weights = np.full(COUNT, 0.6, np.float32)
    before = shares_among_hits(fuse(plain_average(made["text"].shape[1]).contributions(made, weights)), queries, lacks)
    after = shares_among_hits(fuse(ImputedAverage.fit(made, weights).contributions(made, weights)), queries, lacks)
    assert before[2] < 0.08  # of a third that would be fair; or this test shows nothing
    assert after[2] > 2 * before[2]
    assert after[1] <= before[1]


def test_whole_items_are_untouched_and_empty_ones_stay_empty() -> None:
    made, _, lacks = torn()
    made["text"][4] = made["image"][4] = 0
    weights = np.random.default_rng(1).uniform(0, 1, COUNT).astype(np.float32)
    fused = fuse(ImputedAverage.fit(made, weights).contributions(made, weights))
    plain = fuse(plain_average(made["text"].shape[1]).contributions(made, weights))
    whole = (lacks == 0) & (np.arange(COUNT) != 4)
    assert fused[whole] == pytest.approx(plain[whole], abs=1e-6)
    lengths = np.linalg.norm(fused, axis=1)
    assert lengths[4] == 0 and np.delete(lengths, 4) == pytest.approx(1, abs=1e-5)


def test_without_enough_whole_items_a_missing_part_stays_missing() -> None:
    made, _, lacks = torn()
    few = {name: rows[:120] for name, rows in made.items()}
    weights = np.full(120, 0.6, np.float32)
    fused = fuse(ImputedAverage.fit(few, weights).contributions(few, weights))
    assert fused[lacks[:120] == 2] == pytest.approx(few["image"][lacks[:120] == 2], abs=1e-6)


def test_an_imputation_is_kept(tmp_path: Path) -> None:
    made, _, _ = torn()
    weights = np.full(COUNT, 0.6, np.float32)
    imputation = ImputedAverage.fit(made, weights)
    imputation.save(tmp_path / "x.npz")
    kept = ImputedAverage.load(tmp_path / "x.npz").contributions(made, weights)
    assert (fuse(kept) == fuse(imputation.contributions(made, weights))).all()


def test_wordless_candidates_are_credited_with_what_their_likes_have() -> None:
    similarity = np.linspace(1, 0, 101).astype(np.float32)
    words = np.where(similarity > 0.5, 1.0, 0.0).astype(np.float32)
    is_wordless = np.zeros(101, bool)
    is_wordless[[10, 50, 90]] = True
    words[is_wordless] = 0
    expected = expected_lexical(words, similarity, is_wordless)
    assert (expected[~is_wordless] == words[~is_wordless]).all()
    assert expected[10] == pytest.approx(1) and 0.3 < expected[50] < 0.7 and expected[90] == pytest.approx(0)


@pytest.mark.parametrize("wordless", [True, False])
def test_where_all_or_none_are_wordless_nothing_changes(wordless: bool) -> None:
    words = np.array([0.5, 0.0], np.float32)
    assert (expected_lexical(words, np.array([0.9, 0.1], np.float32), np.full(2, wordless)) == words).all()
