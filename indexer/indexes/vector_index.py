"""The dense indexes (FAISS): builds one, and finds the items nearest to a query vector, also within a filter."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from magpie.data.errors import BadSetting
from magpie.indexer.indexes.fast_arrays import best_first

EXACT = "SQfp16"
FAST_SCAN = "PQ{parts}x4fs,Refine(SQfp16)"
HNSW = "HNSW32,SQfp16"
RABITQ = "IVF{lists},RaBitQfs,Refine(SQfp16)"
_EXACT_UP_TO = 10_000  # vectors of some four megabytes stay in a core's cache
_SCANNED_UP_TO = 50_000
_HNSW_UP_TO = 300_000
_SCAN_BYTES = 64_000_000  # of half-precision codes, some four milliseconds
_PART = 0.5  # a filter that passes a smaller share may pass only rows far from the query
_LEAST_EF_SEARCH = 256
_FEWEST_LISTS = 64  # that one search reads; of very many lists a 32nd
_REFINED_TIMES = 4  # as many candidates as are wanted are scored anew by finer codes,
_REFINED_TIMES_OF_FOUR_BITS = 2  # or so many where the codes are that good already,
_FEWEST_REFINED = 1_000  # and at least these
_NEARLY_ALL = 0.9  # where so many are allowed, the best of all hold enough that are


@dataclass(frozen=True)
class Neighbours:
    """Rows of the index with their inner products, best first; (n,) int64 and (n,) float32."""

    rows: np.ndarray
    scores: np.ndarray


def choose_factory(kind: str, num_items: int, dim: int) -> str:
    """The FAISS factory string for `auto`, `exact`, `fastscan`, `hnsw`, `rabitq`, or the given factory string itself.

    Up to some fifty thousand vectors a scan of all is as quick as a graph. Of more than a core's cache holds, it reads
    codes of four bits for each two dimensions (André, Kermarrec and Le Scouarnec 2015) instead of half-precision ones,
    and by these it scores the best anew. Of some hundred thousand a graph takes more memory and time to build than
    lists of one-bit codes (RaBitQ, Gao and Long 2024), rescored in the same way (docs/speed.md).
    """
    rabitq = RABITQ.format(lists=_num_lists(num_items))
    fast_scan = FAST_SCAN.format(parts=dim // 2) if dim % 2 == 0 else EXACT
    if kind == "auto":
        by_count = ((_EXACT_UP_TO, EXACT), (_SCANNED_UP_TO, fast_scan), (_HNSW_UP_TO, HNSW))
        return next((factory for most, factory in by_count if num_items <= most), rabitq)
    return {"exact": EXACT, "fastscan": fast_scan, "hnsw": HNSW, "rabitq": rabitq}.get(kind, kind)


def _num_lists(num_items: int) -> int:
    """The power of two next to four times the root of the number of vectors, but with 39 vectors to train each."""
    wanted = 2 ** round(math.log2(4 * math.sqrt(max(num_items, 1))))
    return int(max(1, min(wanted, num_items // 39)))


def empty_index(dim: int, factory: str) -> faiss.Index:
    """An inner-product index without vectors yet. Raises BadSetting for a factory string that FAISS does not take."""
    try:
        return faiss.index_factory(dim, f"IDMap2,{factory}", faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise BadSetting(
            f"--index {factory!r} is neither auto, exact, fastscan, hnsw, rabitq nor a FAISS factory string "
            f"that fits inner products in {dim} dimensions."
        ) from error


def build_index(vectors: np.ndarray, ids: np.ndarray, factory: str) -> faiss.Index:
    """An inner-product index over (n, dim) float rows, whose FAISS ids are the items' ids ((n,) int64)."""
    index = empty_index(vectors.shape[1], factory)
    rows = np.ascontiguousarray(vectors, np.float32)
    if not index.is_trained:
        if len(rows) == 0:
            raise BadSetting(
                f"--index {factory!r} must be trained on vectors, and the catalogue is empty; use --index exact."
            )
        _train(index, rows)
    if len(rows):
        _add(index, rows, ids)
    return index


def _add(index: faiss.Index, rows: np.ndarray, ids: np.ndarray) -> None:
    """A graph is built by one thread: by several, its links follow from which of them is first."""
    threads = faiss.omp_get_max_threads()
    limit_threads(1 if isinstance(faiss.downcast_index(index.index), faiss.IndexHNSW) else threads)
    try:
        index.add_with_ids(rows, ids)
    finally:
        limit_threads(threads)


def _train(index: faiss.Index, rows: np.ndarray) -> None:
    """Four-bit codes are learned in thousands of tiny steps, in which threads mostly wait for each other."""
    threads = faiss.omp_get_max_threads()
    is_small = isinstance(_coarse_codes(faiss.downcast_index(index.index)), faiss.IndexFastScan)
    limit_threads(1 if is_small else threads)
    try:
        index.train(rows)
    finally:
        limit_threads(threads)


def limit_threads(count: int) -> None:
    """Lets one search use at most `count` cores, in this whole process."""
    faiss.omp_set_num_threads(count)
    threadpool_limits(count, "blas")  # numpy's products


class VectorIndex:
    """A built index with its ids in row order, and the same vectors as an array for exact scans of subsets."""

    def __init__(self, index: faiss.Index, ids: np.ndarray, vectors: np.ndarray) -> None:
        self.index = index
        self.ids = ids
        self.vectors = vectors
        self._by_row = faiss.downcast_index(index.index)  # answers with rows instead of ids
        self._exact = _exact_codes(self._by_row)
        self._takes_selectors = not isinstance(_coarse_codes(self._by_row), faiss.IndexFastScan)
        # the same objects again and again: nearly every search has the same k, and FAISS makes them slowly
        self._unrestricted = lru_cache(64)(lambda k: _Effort(k, None, 1).parameters(self._by_row))

    @classmethod
    def load(cls, path: Path, ids: np.ndarray, vectors: np.ndarray) -> "VectorIndex":
        """Opens an index file; `vectors` is (n, dim) float16 or float32 in the order of the ascending `ids`.

        Its codes are mapped from disk: an index that no search uses then takes no memory, and a file that is removed
        meanwhile goes on being readable.
        """
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), ids, vectors)

    def search(self, query: np.ndarray, k: int, allowed: np.ndarray | None = None) -> Neighbours:
        """The k rows with the largest inner product to a (dim,) query, among rows where `allowed` ((n,) bool) holds.

        A subset is scanned exactly if it is small, if the index is a graph, or if its codes take no selector; of an
        index of lists all lists are read. Restricted to rows far from the query, both lose many results otherwise
        (docs/speed.md).
        """
        num_allowed = len(self.ids) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, num_allowed)
        if k == 0:
            return Neighbours(np.zeros(0, np.int64), np.zeros(0, np.float32))
        if allowed is None:
            return self._search(self._by_row, query, k)
        share = num_allowed / len(self.ids)
        if not self._takes_selectors and share >= _NEARLY_ALL:
            found = self._search(self._by_row, query, min(len(self.ids), math.ceil(k / share**2) + 10))
            kept = allowed[found.rows]
            if np.count_nonzero(kept) >= k:
                return Neighbours(found.rows[kept][:k], found.scores[kept][:k])
        index = self._by_row
        few = _SCAN_BYTES // (2 * len(query))
        if isinstance(index, faiss.IndexHNSW):
            few = max(few, int(_PART * len(self.ids)))
        if num_allowed <= few or not self._takes_selectors:
            if self._exact is None:
                return self._scan(query, k, np.flatnonzero(allowed))
            index = self._exact
        return self._search(index, query, k, faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little")), share)

    def _search(
        self, index: faiss.Index, query: np.ndarray, k: int, selector: faiss.IDSelector | None = None, share: float = 1
    ) -> Neighbours:
        is_restricted = selector is not None
        parameters = _Effort(k, selector, share).parameters(index) if is_restricted else self._unrestricted(k)
        scores, rows = index.search(np.ascontiguousarray(query[None], np.float32), k, params=parameters)
        found = rows[0] >= 0
        return Neighbours(rows[0][found], scores[0][found])

    def _scan(self, query: np.ndarray, k: int, rows: np.ndarray) -> Neighbours:
        scores = self.vectors[rows].astype(np.float32) @ query
        if k < len(rows):
            kept = np.argpartition(-scores, k)[:k]
            rows, scores = rows[kept], scores[kept]
        order = best_first(scores, rows)
        return Neighbours(rows[order], scores[order])


def _coarse_codes(index: faiss.Index) -> faiss.Index:
    """The part of an index that is searched first."""
    return faiss.downcast_index(index.base_index) if isinstance(index, faiss.IndexRefine) else index


def _exact_codes(index: faiss.Index) -> faiss.Index | None:
    """The part of an index that holds its vectors, within rounding, and scans them all; None where they are coarser."""
    codes = index
    if isinstance(index, faiss.IndexHNSW):
        codes = faiss.downcast_index(index.storage)
    elif isinstance(index, faiss.IndexRefine):
        codes = faiss.downcast_index(index.refine_index)
    if isinstance(codes, faiss.IndexScalarQuantizer):
        return codes if codes.sq.qtype == faiss.ScalarQuantizer.QT_fp16 else None
    return codes if isinstance(codes, faiss.IndexFlat) else None


@dataclass(frozen=True)
class _Effort:
    """The effort of one search for the best `k` of the rows that `selector` passes, a `share` of all rows."""

    k: int
    selector: faiss.IDSelector | None
    share: float

    def parameters(self, index: faiss.Index) -> faiss.SearchParameters | None:
        """FAISS' parameters for this index, and within them those for the indexes that it is made of."""
        if isinstance(index, faiss.IndexRefine):
            codes = faiss.downcast_index(index.base_index)
            is_good = isinstance(codes, faiss.IndexPQFastScan)
            factor = max(_REFINED_TIMES_OF_FOUR_BITS if is_good else _REFINED_TIMES, _FEWEST_REFINED / self.k)
            base = replace(self, k=int(self.k * factor)).parameters(codes)
            return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=base)
        if isinstance(index, faiss.IndexPreTransform):
            inner = self.parameters(faiss.downcast_index(index.index))
            return faiss.SearchParametersPreTransform(index_params=inner) if inner is not None else None
        if isinstance(index, faiss.IndexHNSW):
            return faiss.SearchParametersHNSW(efSearch=max(_LEAST_EF_SEARCH, 2 * self.k), sel=self.selector)
        if isinstance(index, faiss.IndexIVF):
            lists = index.nlist if self.share < _PART else max(_FEWEST_LISTS, index.nlist // 32) / self.share
            return faiss.SearchParametersIVF(nprobe=max(1, min(index.nlist, round(lists))), sel=self.selector)
        return faiss.SearchParameters(sel=self.selector) if self.selector is not None else None
