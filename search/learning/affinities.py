"""Clicks by the words of the queries they came from → what each word, and each pair of words, says for an item."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from indexer.lexical_index import stem_words

MOST_PAIRS = 20_000
_MOST_WORDS = 8  # of one query; they make 28 pairs
_PAIR_WEIGHT = 1.5  # what queries share in two words tells more than what they share in each of them
_AFFINITY = 0.2  # variance of what a word adds to the logarithm of an item's rate
_APPEAL = 1.0  # of what an item has whatever is asked; wide, so that no word gets the credit for it
_LEVEL = 1.0  # of a query's own level
_PLACE = 4.0  # of how the rate falls with the first stage's rank and score
_MOST_STEPS = 400
_LEAST_FALL = 0.05  # with the logarithm of the rank: the first stage's order decides where nothing else does


@dataclass(frozen=True)
class Affinities:
    """What a query's terms (its words and pairs of them) add to the logarithm of an item's rate.

    `cells` (m,) are ascending, item number times len(terms) plus the place of the term; `values` (sets, m), one row
    for every set of queries that it was learned from. `falls` (sets, 2) is how the logarithm of the rate changes with
    a candidate's place in the first stage (`FirstStage.places`).
    """

    terms: list[str]
    cells: np.ndarray
    values: np.ndarray
    falls: np.ndarray

    @cached_property
    def _places(self) -> dict[str, int]:
        return {term: place for place, term in enumerate(self.terms)}

    def of_query(self, key: str, ids: np.ndarray, row: int) -> np.ndarray:
        """(n,) what the terms of the query say for the items of these numbers; 0 where nothing is known."""
        total = np.zeros(len(ids))
        if not len(self.cells):
            return total
        for term, weight in query_terms(key).items():
            if term not in self._places:
                continue
            wanted = ids * len(self.terms) + self._places[term]
            at = np.minimum(np.searchsorted(self.cells, wanted), len(self.cells) - 1)
            total += weight * np.where(self.cells[at] == wanted, self.values[row, at], 0.0)
        return total

    def of_places(self, places: np.ndarray, row: int) -> np.ndarray:
        """(n,) the logarithm of the rates that places in the first stage promise; it falls from place to place."""
        by_rank, by_score = self.falls[row]
        return np.asarray(places @ np.array([min(by_rank, -_LEAST_FALL), max(by_score, 0.0)]))


@dataclass(frozen=True)
class Shown:
    """Pairs of a query and an item shown for it, (m,) columns.

    `query` is a place in a list of keys, `item` an `items.id`; `place` (m, 2) is that of `FirstStage.places`;
    `expected` are clicks at the query's usual rate.
    """

    query: np.ndarray
    item: np.ndarray
    place: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray


def query_terms(key: str) -> dict[str, float]:
    """The words of a query and their pairs, with their weights."""
    words = sorted(set(stem_words(key)[:_MOST_WORDS]))
    return dict.fromkeys(words, 1.0) | {f"{a} {b}": _PAIR_WEIGHT for a, b in combinations(words, 2)}


def learn_affinities(keys: Sequence[str], shown: Shown, chosen: Sequence[np.ndarray]) -> Affinities:
    """The affinities learned from each of the `chosen` sets, (m,) booleans over the pairs shown.

    A Poisson regression with normal priors: the logarithm of a rate is the query's level, how it falls with the first
    stage's rank and score, the item's appeal, and what the item is to each term of the query (a generalised linear
    mixed model: Breslow and Clayton 1993). Only the last is kept: what an item has whatever is asked tells nothing of
    what fits a query. Of more than MOST_PAIRS pairs the ones with the most expected clicks are used.
    """
    from scipy import sparse  # here: a server that has no ranker does without it

    terms, rows, columns, weights = _occurrences(keys, shown.query)
    cells, cell = np.unique(shown.item[rows] * max(len(terms), 1) + columns, return_inverse=True)
    of_cells = sparse.csr_matrix((weights, (rows, cell)), (len(shown.query), len(cells)))
    spread = shown.place.std(axis=0) + 1e-6 if len(cells) else np.ones(2)
    place = (shown.place - shown.place.mean(axis=0)) / spread if len(cells) else shown.place
    parts = [of_cells, sparse.csr_matrix(place), _indicators(shown.item), _indicators(shown.query)]
    variances = np.repeat([_AFFINITY, _PLACE, _APPEAL, _LEVEL], [part.shape[1] for part in parts])
    design = sparse.hstack(parts, "csr")
    values, falls = np.zeros((len(chosen), len(cells)), np.float32), np.zeros((len(chosen), 2))
    found = np.zeros(len(variances))
    # the sets overlap, so what one taught is a good start for the next: first what most pairs teach
    for row in sorted(range(len(chosen)), key=lambda row: -np.count_nonzero(chosen[row])):
        used = np.flatnonzero(chosen[row] & (shown.expected > 0))
        used = used[np.argsort(-shown.expected[used], kind="stable")[:MOST_PAIRS]]
        if not len(used):
            continue
        known = design[used]
        start = np.where(known.getnnz(axis=0) > 0, found, 0.0)  # what this set does not show, it must not know
        found = _most_likely(known, np.log(shown.expected[used]), shown.clicks[used], variances, start)
        values[row] = found[: len(cells)]
        falls[row] = found[len(cells) : len(cells) + 2] / spread
    return Affinities(terms, cells, values, falls)


def _occurrences(keys: Sequence[str], query: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """The terms, and for each term of each pair's query: the pair, the term's place, its weight."""
    places: dict[str, int] = {}
    of_key = [
        [(places.setdefault(term, len(places)), weight) for term, weight in query_terms(key).items()] for key in keys
    ]
    lengths = np.array([len(found) for found in of_key], np.int64)
    flat = np.array([pair for found in of_key for pair in found]).reshape(-1, 2)
    starts = np.cumsum(lengths) - lengths
    rows = np.repeat(np.arange(len(query)), lengths[query])
    within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths[query]) - lengths[query], lengths[query])
    taken = flat[starts[query][rows] + within]
    return list(places), rows, taken[:, 0].astype(np.int64), taken[:, 1]


def _indicators(labels: np.ndarray) -> Any:
    """One sparse column for each different label."""
    from scipy import sparse

    different, column = np.unique(labels, return_inverse=True)
    return sparse.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), column)), (len(labels), len(different)))


def _most_likely(
    design: Any, offset: np.ndarray, clicks: np.ndarray, variances: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """The coefficients of the Poisson regression with the greatest posterior density, by L-BFGS from a start.

    Each coefficient is searched in units of its curvature at the start, without which it needs hundreds of steps more.
    """
    from scipy.optimize import minimize

    units = 1 / np.sqrt(1 / variances + design.power(2).T @ np.exp(offset))
    transposed = design.T.tocsr()

    def loss(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = scaled * units
        logs = np.clip(offset + design @ coefficients, -20, 10)
        rates = np.exp(logs)
        slope = transposed @ (rates - clicks) + coefficients / variances
        penalty = 0.5 * float((coefficients**2 / variances).sum())
        return float(rates.sum() - clicks @ logs) + penalty, slope * units

    found = minimize(loss, start / units, jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS})
    return np.asarray(found.x * units)
