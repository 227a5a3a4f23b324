"""Measures the recall of a new index against brute force before it is published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from magpie.indexer.indexes.vector_index import VectorIndex

_SAMPLE = 50
_K = 10
_RANDOM_SHARE = 0.6  # enough that no index falls back on an exact scan (`VectorIndex.search`)
_ALIKE_SHARE = 0.15
_SOUND = 0.9
_ROUNDING = 2e-3  # of a score, by float16 codes


def measure_recall(
    folder: Path, ids: np.ndarray, vectors: np.ndarray, queries: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """recall@10 of the written fused index against an exact scan: by kind of query, and within two filters.

    One passes six in ten items, at random; the other passes a seventh that are similar to each other and mostly
    dissimilar to the query, which is harder on graphs and lists. `vectors` are the (n, dim) fused rows, `queries`
    (m, dim) unit rows by kind; at most fifty of each are tried, half of them within a filter. Neighbours that tie with
    the tenth count as found.
    """
    if not len(ids):
        return {}
    index = VectorIndex(faiss.read_index(str(folder / "fused.faiss")), ids, vectors.astype(np.float16))
    filters = {"": None, "_filtered": np.random.default_rng(0).random(len(ids)) < _RANDOM_SHARE}
    filters["_filtered_alike"] = _alike(vectors)
    measured: dict[str, float] = {}
    for kind, rows in queries.items():
        sample = rows[np.abs(rows).max(axis=1) > 0]
        sample = sample[:: max(1, len(sample) // _SAMPLE)][:_SAMPLE]
        if len(sample):
            for name, allowed in filters.items():
                tried = sample if allowed is None else sample[::2]
                measured[f"{kind}{name}"] = round(_recall(index, vectors, tried, allowed), 4)
    return measured


def warn_of_recall(manifest: Mapping[str, Any]) -> str | None:
    """A warning where the index misses too many of the nearest items; None where it does not."""
    poor = {kind: share for kind, share in manifest["recall"].items() if share < _SOUND}
    if not poor:
        return None
    shares = ", ".join(f"{share:.0%} ({kind})" for kind, share in poor.items())
    return (
        f"The index of kind {manifest['index']!r} finds only {shares} of the ten nearest items: "
        "run `magpie index rebuild --index auto`."
    )


def _alike(vectors: np.ndarray) -> np.ndarray:
    """(n,) bool: the items nearest to one of them, as the items of a category are."""
    some = vectors[np.abs(vectors).max(axis=1).argmax()]
    near = vectors @ some
    return np.asarray(near >= np.quantile(near, 1 - _ALIKE_SHARE))


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
