"""The dense index against brute force, with and without filters."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.errors import BadSetting
from magpie.indexer.indexes.vector_index import EXACT, HNSW, VectorIndex, build_index, choose_factory
from magpie.indexer.vectors import unit_rows

RNG = np.random.default_rng(0)
VECTORS = unit_rows(RNG.standard_normal((2000, 16)).astype(np.float32))
IDS = np.sort(RNG.choice(10_000, 2000, replace=False)).astype(np.int64)


def make(factory: str = EXACT) -> VectorIndex:
    return VectorIndex(build_index(VECTORS, IDS, factory), IDS, VECTORS.astype(np.float16))


EXACT_INDEX = make()


@given(st.integers(0, 1999), st.integers(1, 50), st.sampled_from([None, 0.0, 0.01, 0.5, 1.0]))
def test_the_exact_index_equals_brute_force(query: int, k: int, share: float | None) -> None:
    allowed = None if share is None else np.random.default_rng(query).random(2000) < share
    scores = VECTORS @ VECTORS[query]
    candidates = np.arange(2000) if allowed is None else np.flatnonzero(allowed)
    best = np.sort(scores[candidates])[::-1][:k]
    found = EXACT_INDEX.search(VECTORS[query], k, allowed)
    assert len(found.rows) == min(k, len(candidates))
    assert set(found.rows) <= set(candidates)
    np.testing.assert_allclose(found.scores, best, atol=2e-3)  # float16 codes


@pytest.mark.parametrize("share", [None, 0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("factory", ["fastscan", "hnsw", "rabitq", "IVF16,RaBitQ,Refine(SQfp16)"])
def test_a_quicker_index_finds_nearly_all_also_within_a_filter(
    factory: str, share: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "magpie.indexer.indexes.vector_index._SCAN_BYTES", 3_200
    )  # so that six in ten rows go through the index
    index = make(choose_factory(factory, 2000, 16))
    allowed = None if share is None else RNG.random(2000) < share
    hits = []
    for query in VECTORS[::100]:
        exact = EXACT_INDEX.search(query, 10, allowed).rows
        found = index.search(query, 10, allowed).rows
        assert allowed is None or allowed[found].all()
        hits.append(len(set(exact) & set(found)) / max(1, len(exact)))
    assert np.mean(hits) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["PCA8,IVF16,SQ8", "OPQ4_8,IVF16,PQ4", "IVF16,Flat", "IVF16,PQ4,RFlat", "Flat"])
def test_any_factory_can_be_searched_within_a_filter(factory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magpie.indexer.indexes.vector_index._SCAN_BYTES", 3_200)
    allowed = np.arange(2000) % 3 > 0
    found = make(factory).search(VECTORS[0], 10, allowed).rows
    assert len(found) == 10
    assert allowed[found].all()


def test_ids_in_the_file_are_the_items_ids(tmp_path: Path) -> None:
    faiss.write_index(EXACT_INDEX.index, str(tmp_path / "x.faiss"))
    loaded = VectorIndex.load(tmp_path / "x.faiss", IDS, VECTORS)
    _, ids = loaded.index.search(VECTORS[7:8], 1)
    assert ids[0, 0] == IDS[7]
    assert loaded.search(VECTORS[7], 1).rows[0] == 7


def test_auto_is_exact_for_few_a_scan_or_graph_for_more_and_lists_of_codes_for_many() -> None:
    chosen = {n: choose_factory("auto", n, 192) for n in (10_000, 50_000, 50_001, 300_000, 1_000_000)}
    assert chosen[10_000] == EXACT and chosen[50_000] == "PQ96x4fs,Refine(SQfp16)"
    assert chosen[50_001] == chosen[300_000] == HNSW
    assert chosen[1_000_000] == "IVF4096,RaBitQfs,Refine(SQfp16)"
    assert choose_factory("auto", 50_000, 191) == EXACT  # codes are of two dimensions each
    assert choose_factory("IVF64,SQ8", 1, 16) == "IVF64,SQ8"


def test_a_fast_scan_finds_all_that_is_allowed_though_the_best_of_all_are_not() -> None:
    index = make(choose_factory("fastscan", 2000, 16))
    for query in VECTORS[::200]:
        allowed = np.ones(2000, bool)
        allowed[EXACT_INDEX.search(query, 150).rows] = False
        found = index.search(query, 10, allowed)
        np.testing.assert_array_equal(found.rows, EXACT_INDEX.search(query, 10, allowed).rows)


def test_a_factory_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadSetting, match="Nonsense"):
        build_index(VECTORS, IDS, "Nonsense7")


def test_an_empty_index_answers_nothing() -> None:
    empty = VectorIndex(build_index(VECTORS[:0], IDS[:0], EXACT), IDS[:0], VECTORS[:0])
    assert len(empty.search(VECTORS[0], 5).rows) == 0
