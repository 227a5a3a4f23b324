"""Fits affinities: how much each word of a query adds to the click rate of an item, and of an attribute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.search.ranker.affinities import Affinities, Table, query_terms
from magpie.search.ranker.first_stage_arrays import PLACES

MOST_PAIRS = 20_000
# Variances of what each of these adds to the logarithm of an item's rate:
_AFFINITY = 0.2  # a term and an item
_TAG_AFFINITY = 0.1  # a word and an attribute
_TAG = 0.1  # an attribute, whatever is asked
_APPEAL = 1.0  # an item, whatever is asked; wide, so that no word gets the credit for it
_LEVEL = 1.0  # a query's own level
_PLACE = 4.0  # how the rate falls with the first stage's rank and score, and how it rises with fitting attributes
_MOST_STEPS, _MOST_TURNS = 30, 60
_SOLVED = 1e-3  # of the slope, by its square, that a step may leave
_ENOUGH = 0.1  # nats: a step that gains less is the last
_LEAST_LENGTH = 1e-3
_BOUNDS = (-20.0, 10.0)


@dataclass(frozen=True)
class Shown:
    """Pairs of a query and an item shown for it, (m,) columns.

    `query` is a place in a list of keys, `item` an `items.id`; `place` (m, len(PLACES)) is that of `FirstStage.places`;
    `expected` are clicks at the query's usual rate. The tags of the items are triplets: the pair, the place of the tag
    in `tags`, and the chance that the item has it.
    """

    query: np.ndarray
    item: np.ndarray
    place: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray
    tags: list[tuple[str, str]]
    tagged: tuple[np.ndarray, np.ndarray, np.ndarray]


def learn_affinities(keys: Sequence[str], shown: Shown, chosen: Sequence[np.ndarray]) -> tuple[Affinities, Table]:
    """The affinities learned from each of the `chosen` sets, (m,) booleans over the pairs shown, and the items' appeal.

    A Poisson regression with normal priors: the logarithm of a rate is the query's level, how it falls with the first
    stage's rank and score and rises with attributes that the query names, the item's appeal, and what the item and
    each of its attributes are to each term of the query (a generalised linear mixed model: Breslow and Clayton 1993).
    The appeal, by item, is no affinity: what an item has for any query says nothing of fit. Of
    more than MOST_PAIRS pairs the ones with the most expected clicks are used.
    """
    from scipy import sparse  # here: a server that has no ranker does without it

    terms, rows, columns, weights = _occurrences(keys, shown.query)
    width = max(len(terms), 1)
    cells, cell = np.unique(shown.item[rows] * width + columns, return_inverse=True)
    of_items = sparse.csr_matrix((weights, (rows, cell)), (len(shown.query), len(cells)))
    tag_cells, of_tags = _tag_design(shown, rows, columns, terms)
    spread = shown.place.std(axis=0) + 1e-6 if len(shown.query) else np.ones(len(PLACES))
    place = (shown.place - shown.place.mean(axis=0)) / spread if len(shown.query) else shown.place
    parts = [of_items, of_tags, sparse.csr_matrix(place), _indicators(shown.item), _indicators(shown.query)]
    of_tag = np.where(tag_cells % (width + 1) == width, _TAG, _TAG_AFFINITY)
    others = np.repeat([_PLACE, _APPEAL, _LEVEL], [part.shape[1] for part in parts[2:]])
    variances = np.concatenate([np.full(len(cells), _AFFINITY), of_tag, others])
    design = sparse.hstack(parts, "csr")
    found = np.zeros((len(chosen), len(variances)))
    start = np.zeros(len(variances))
    # the sets overlap, so what one taught is a good start for the next: first what most pairs teach
    for row in sorted(range(len(chosen)), key=lambda row: -np.count_nonzero(chosen[row])):
        used = np.flatnonzero(chosen[row] & (shown.expected > 0))
        used = used[np.argsort(-shown.expected[used], kind="stable")[:MOST_PAIRS]]
        if not len(used):
            continue
        known = design[used]
        start = np.where(known.getnnz(axis=0) > 0, start, 0.0)  # what this set does not show, it must not know
        start = found[row] = most_likely(known, np.log(shown.expected[used]), shown.clicks[used], variances, start)
    items, tagged, falls, appeal, _ = np.split(found, np.cumsum([part.shape[1] for part in parts[:4]]), axis=1)
    of_item = Table(width, cells, items.astype(np.float32))
    of_tag_cells = Table(width + 1, tag_cells, tagged.astype(np.float32))
    affinities = Affinities(terms, shown.tags, of_item, of_tag_cells, falls / spread)
    return affinities, Table(1, np.unique(shown.item), appeal.astype(np.float32))


def _tag_design(shown: Shown, rows: np.ndarray, columns: np.ndarray, terms: list[str]) -> tuple[np.ndarray, Any]:
    """The cells (tag, word) and (tag, whatever is asked) of the pairs, ascending, and their sparse columns."""
    from scipy import sparse

    width, number = max(len(terms), 1), len(shown.query)
    pair, tag, chance = shown.tagged
    words = np.array([" " not in term for term in terms], bool)
    of_words = np.flatnonzero(words[columns]) if len(columns) else columns
    has_word = sparse.csr_matrix((np.ones(len(of_words)), (rows[of_words], columns[of_words])), (number, width))
    both = (
        sparse.csr_matrix((np.ones(len(pair)), (np.arange(len(pair)), pair)), (len(pair), number)) @ has_word
    ).tocoo()
    flat = np.concatenate([tag[both.row] * (width + 1) + both.col, tag * (width + 1) + width])
    owner, value = np.concatenate([pair[both.row], pair]), np.concatenate([chance[both.row], chance])
    cells, cell = np.unique(flat, return_inverse=True)
    return cells, sparse.csr_matrix((value, (owner, cell)), (number, len(cells)))


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


def most_likely(
    design: Any, offset: np.ndarray, clicks: np.ndarray, variances: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """The coefficients of the Poisson regression with the greatest posterior density, from a start.

    Newton's method with conjugate gradients (Nocedal and Wright 2006, ch. 7.1), each coefficient in units of its
    curvature; the logarithms of rates are kept between bounds that no catalogue reaches.
    """
    transposed, squared = design.T.tocsr(), design.power(2).T.tocsr()
    found, logs = start, offset + design @ start
    loss = _loss(logs, clicks, found, variances)
    for _ in range(_MOST_STEPS):
        rates = np.exp(np.clip(logs, *_BOUNDS))
        slope = transposed @ (rates - clicks) + found / variances
        units = 1 / (squared @ rates + 1 / variances)
        step = _solved(design, transposed, rates, variances, units, -slope)
        of_step, length = design @ step, 1.0
        while True:
            nearer = _loss(logs + length * of_step, clicks, found + length * step, variances)
            if nearer <= loss or length < _LEAST_LENGTH:
                break
            length /= 2
        gained, loss = loss - nearer, min(loss, nearer)
        if gained < 0:
            break
        found, logs = found + length * step, logs + length * of_step
        if gained < _ENOUGH:
            break
    return found


def _loss(logs: np.ndarray, clicks: np.ndarray, coefficients: np.ndarray, variances: np.ndarray) -> float:
    within = np.clip(logs, *_BOUNDS)
    return float(np.exp(within).sum() - clicks @ within + 0.5 * (coefficients**2 / variances).sum())


def _solved(
    design: Any, transposed: Any, rates: np.ndarray, variances: np.ndarray, units: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """The step at which the curvature balances the slope, by preconditioned conjugate gradients."""
    step, left = np.zeros_like(slope), slope.copy()
    scaled = units * left
    direction, size = scaled.copy(), float(left @ scaled)
    enough = _SOLVED * size
    for _ in range(_MOST_TURNS):
        if size <= enough:
            break
        curved = transposed @ (rates * (design @ direction)) + direction / variances
        length = size / float(direction @ curved)
        step += length * direction
        left -= length * curved
        scaled = units * left
        before, size = size, float(left @ scaled)
        direction = scaled + size / before * direction
    return step
