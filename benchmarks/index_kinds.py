"""Kinds of dense index side by side: time to build, size, recall@10 without and within filters, time of a search.

    python -m benchmarks.index_kinds [--count 400000] [--dim 192] [--kinds exact fastscan hnsw rabitq]

The vectors are drawn: 2,000 clusters of decaying spectrum, queries from the same clusters. Searches are those that the
engine makes (500 candidates, one thread), and recall is that of their first ten, as `index rebuild` measures it.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np

from magpie.indexer.generations.recall_check import measure_recall
from magpie.indexer.indexes.vector_index import VectorIndex, build_index, choose_factory, limit_threads
from magpie.indexer.vectors import unit_rows

_QUERIES = 50
_CANDIDATES = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--kinds", nargs="+", default=["exact", "fastscan", "hnsw", "rabitq"])
    arguments = parser.parse_args()
    drawn = draw_vectors(arguments.count + _QUERIES, arguments.dim)
    vectors, queries = drawn[:-_QUERIES], drawn[-_QUERIES:]
    ids = np.arange(1, len(vectors) + 1)
    filters = {"all": None, "six in ten": np.random.default_rng(1).random(len(vectors)) < 0.6}
    for kind in arguments.kinds:
        factory = choose_factory(kind, len(vectors), arguments.dim)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fused.faiss"
            started = time.perf_counter()
            faiss.write_index(build_index(vectors, ids, factory), str(path))
            built_s = time.perf_counter() - started
            recall = measure_recall(path.parent, ids, vectors, {"": queries})
            limit_threads(1)
            index = VectorIndex.load(path, ids, vectors.astype(np.float16))
            took = ", ".join(f"{name} {milliseconds(index, queries, mask):.2f} ms" for name, mask in filters.items())
            limit_threads(os.cpu_count() or 1)
            size_mb = path.stat().st_size / 1e6
        shares = ", ".join(f"{name.strip('_') or 'all'} {share:.3f}" for name, share in recall.items())
        print(f"{factory}: built in {built_s:.0f} s, {size_mb:.0f} MB; recall@10 {shares}; a search {took}", flush=True)


def draw_vectors(count: int, dim: int) -> np.ndarray:
    """(count, dim) float32 unit rows around 2,000 centres, each coordinate less varied than the one before."""
    chance = np.random.default_rng(0)
    spread = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    centres = chance.standard_normal((2_000, dim), np.float32) * spread
    noise = 0.6 * chance.standard_normal((count, dim), np.float32) * spread
    return unit_rows(centres[chance.integers(0, len(centres), count)] + noise)


def milliseconds(index: VectorIndex, queries: np.ndarray, allowed: np.ndarray | None) -> float:
    """The median time of a search, after each was made once."""
    took = []
    for query in [*queries, *queries]:
        started = time.perf_counter()
        index.search(query, _CANDIDATES, allowed)
        took.append(time.perf_counter() - started)
    return 1000 * float(np.median(took[len(queries) :]))


if __name__ == "__main__":
    main()
