"""What a new index finds, measured against brute force before it is published."""

from collections.abc import Mapping
from pathlib import Path

import faiss
import numpy as np

from indexer.vector_index import VectorIndex

_SAMPLE = 50
_K = 10
_FILTER_SHARE = 0.3
_ROUNDING = 2e-3  # of a score, by float16 codes


def measure_recall(
    folder: Path, ids: np.ndarray, vectors: np.ndarray, queries: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """recall@10 of the written fused index against an exact scan: by kind of query, and within a random filter.

    `vectors` are the (n, dim) fused rows, `queries` (m, dim) unit rows by kind; at most fifty of each are tried.
    Neighbours that tie with the tenth count as found.
    """
    if not len(ids):
        return {}
    index = VectorIndex(faiss.read_index(str(folder / "fused.faiss")), ids, vectors.astype(np.float16))
    allowed = np.random.default_rng(0).random(len(ids)) < _FILTER_SHARE
    measured: dict[str, float] = {}
    for kind, rows in queries.items():
        sample = rows[np.abs(rows).max(axis=1) > 0]
        sample = sample[:: max(1, len(sample) // _SAMPLE)][:_SAMPLE]
        if len(sample):
            measured[kind] = round(_recall(index, vectors, sample, None), 4)
            measured[f"{kind}_filtered"] = round(_recall(index, vectors, sample, allowed), 4)
    return measured


def _recall(index: VectorIndex, vectors: np.ndarray, queries: np.ndarray, allowed: np.ndarray | None) -> float:
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    k = min(_K, len(rows))
    if k == 0:
        return 1.0
    scores = queries @ vectors.T
    tenth = np.partition(scores[:, rows], len(rows) - k, axis=1)[:, len(rows) - k]
    found = [index.search(query, k, allowed).rows for query in queries]
    hits = sum(int((scores[q, at] >= tenth[q] - _ROUNDING).sum()) for q, at in enumerate(found))
    return hits / (k * len(queries))
