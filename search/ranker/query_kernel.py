"""The query kernel: expected click rates of items from the clicks of similar queries, for any query."""

from dataclasses import dataclass

import numpy as np

MOST_PAIRS = 2_000
_SCALE = 0.08  # cosine distance over which a query's say falls by e
_SIGNAL = 10.0
_APPEAL = 0.3  # variance of what one item has over items that look alike, whatever the query
_NOISE = 0.5  # variance of the relative rate that is left


@dataclass(frozen=True)
class QueryKernel:
    """A Gaussian process over (query, item) pairs, reduced to one direction per known query.

    Its kernel is the similarity of the queries times the inner product of the items' vectors, so what is expected of an
    item is its inner product with one vector: the known queries' `directions` (q, dim), weighed by their similarity to
    the query (Rasmussen and Williams 2006, ch. 2, with a product kernel).
    """

    queries: np.ndarray  # (q, dim) unit rows
    directions: np.ndarray  # (q, dim)

    def direction(self, query: np.ndarray) -> np.ndarray:
        """(dim,) whose inner product with an item's vector is its expected rate, relative to the query's usual one."""
        if not len(self.queries):
            return np.zeros_like(query)
        return np.asarray(similarity(query[None], self.queries)[0] @ self.directions, np.float32)


def similarity(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(m, n) similarity of unit query vectors, 1 for equal ones."""
    return np.exp((some @ others.T - 1) / _SCALE)


def fit_query_kernel(
    queries: np.ndarray,
    of_query: np.ndarray,
    items: np.ndarray,
    vectors: np.ndarray,
    counts: np.ndarray,
) -> QueryKernel:
    """Fits to m pairs: place of the query in `queries` (q, dim), item number, (m, dim) item vectors, and as `counts`
    (2, m) clicks and expected clicks.

    What is fitted is clicks / expected - 1; its variance is that of a Poisson count. A term of its own takes up what
    makes single items popular. Of more than MOST_PAIRS pairs the ones with the most expected clicks are used.
    """
    from scipy.linalg import solve  # here: a server that has no ranker does without it

    clicks, expected = counts
    kept = np.argsort(-expected, kind="stable")[:MOST_PAIRS]
    kept = kept[expected[kept] > 0]
    of_query, items, vectors = of_query[kept], items[kept], vectors[kept]
    clicks, expected = clicks[kept], expected[kept]
    directions = np.zeros_like(queries, np.float32)
    if len(kept):
        kernel = similarity(queries, queries)[np.ix_(of_query, of_query)] * (vectors @ vectors.T) * _SIGNAL
        kernel += _APPEAL * (items[:, None] == items)
        kernel[np.diag_indices_from(kernel)] += 1 / expected + _NOISE
        wanted = (clicks / expected - 1).astype(np.float32)
        weights = _SIGNAL * solve(kernel.astype(np.float32), wanted, assume_a="pos", overwrite_a=True)
        np.add.at(directions, of_query, (weights[:, None] * vectors).astype(np.float32))
    return QueryKernel(queries.astype(np.float32), directions)
