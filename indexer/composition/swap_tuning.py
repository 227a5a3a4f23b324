"""Learns from the catalogue's own items how much a composed query takes out of an item's vector and puts in.

Two items that differ in one attribute make a query that needs no label: like the first, but with the second's value;
the relevant items are those that differ from the first in just that way. Two thirds of these queries choose the
amounts for each part, and the last third tests whether they beat a full swap.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from magpie.indexer.composition.attribute_subspaces import Subspace, SubspaceSwap
from magpie.indexer.draws import in_random_order
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.column_types import WordColumn
from magpie.indexer.paired_test import Comparison, ndcg
from magpie.indexer.text.lexicon import load_lexicon

_POOL = 3_000  # items among which pairs are sought and answers ranked
_MOST_PAIRS, _FEWEST_PAIRS = 300, 90
_AMOUNTS = [SubspaceSwap(taken, given) for taken in (0.4, 0.55, 0.7, 0.85, 1.0) for given in (0.6, 0.8, 1.0, 1.25)]
_IN_FULL = SubspaceSwap()
_SIGNIFICANT = 0.01  # of a choice among twenty
_KIND = "kind"


@dataclass(frozen=True)
class Pair:
    """The query "like the item in row `base`, but `word`", a word of that subspace; `answers` are the relevant rows."""

    base: int
    subspace: str
    word: str
    answers: np.ndarray


def find_pairs(columns: Columns, subspaces: Mapping[str, Subspace], keys: np.ndarray) -> tuple[np.ndarray, list[Pair]]:
    """(m,) rows of the items that are ranked, and the queries, drawn by the items' draw keys (n,).

    Items are compared by their kind and by the lexicon's other slots (colour, gender, material, pattern).
    Without a column for the kind of thing there are no queries.
    """
    slots = _columns_by_slot(columns)
    names = [name for name in slots if name in subspaces]
    if _KIND not in slots or not names:
        return np.zeros(0, np.int64), []
    codes = np.stack([slots[name].first_codes() for name in (_KIND, *names)], axis=1)
    described = np.flatnonzero(codes[:, 0] >= 0)
    pool = in_random_order(described, keys)[:_POOL]
    pairs: list[Pair] = []
    for base in pool:
        known = np.flatnonzero(codes[base, 1:] >= 0) + 1
        if len(pairs) == _MOST_PAIRS or not len(known):
            continue
        chance = random.Random(int(keys[base]))
        slot = chance.choice(known.tolist())
        is_same = codes[pool] == codes[base]
        others = np.delete(is_same, slot, axis=1).all(axis=1) & ~is_same[:, slot] & (codes[pool, slot] >= 0)
        if others.any():
            wanted = codes[chance.choice(pool[others].tolist()), slot]
            word = slots[names[slot - 1]].vocabulary[wanted]
            pairs.append(Pair(int(base), names[slot - 1], word, pool[others & (codes[pool, slot] == wanted)]))
    return pool, pairs


def tune_swaps(
    parts: Mapping[str, np.ndarray],
    columns: Columns,
    subspaces: Mapping[str, Subspace],
    encode: Callable[[list[str]], np.ndarray],
    keys: np.ndarray,
) -> tuple[dict[str, SubspaceSwap], dict[str, Any]]:
    """The swap of each part for which one beats a full swap, and the comparisons for the manifest.

    `parts` are (n, dim) centred unit rows; `encode` turns t words into (t, dim) centred unit rows of queries, and
    `keys` (n,) are the items' draw keys.
    """
    pool, pairs = find_pairs(columns, subspaces, keys)
    if len(pairs) < _FEWEST_PAIRS:
        return {}, {}
    words = sorted({pair.word for pair in pairs})
    vector_of = dict(zip(words, encode(words), strict=True))
    chosen, about = {}, {}
    for part, vectors in parts.items():
        there = pool[vectors[pool].any(axis=1)]
        asked = [p for p in pairs if vectors[p.base].any() and np.isin(p.answers, there).any()]
        if len(asked) < _FEWEST_PAIRS:
            continue
        trial = _Trial(vectors, there, asked, subspaces, vector_of)
        learning, judging = np.arange(len(asked)) % 3 != 0, np.arange(len(asked)) % 3 == 0
        figures = {swap: trial.ndcg(swap) for swap in _AMOUNTS}
        best = max(figures, key=lambda one: float(figures[one][learning].mean()))
        compared = Comparison.of(figures[_IN_FULL][judging], figures[best][judging])
        if compared.gain > 0 and compared.p < _SIGNIFICANT:
            chosen[part] = best
        about[part] = asdict(chosen.get(part, _IN_FULL)) | {
            "in_full": compared.baseline, "learned": compared.candidate, "p": compared.p, "pairs": int(judging.sum()),
        }  # fmt: skip
    return chosen, about


class _Trial:
    """The queries of one part, scored for any amounts: a score is linear in them."""

    def __init__(
        self,
        vectors: np.ndarray,
        rows: np.ndarray,
        asked: list[Pair],
        subspaces: Mapping[str, Subspace],
        vector_of: Mapping[str, np.ndarray],
    ) -> None:
        items, bases = vectors[rows].T, np.array([pair.base for pair in asked])
        self._by_thing = vectors[bases] @ items
        self._by_own = np.stack([subspaces[p.subspace].component(vectors[p.base]) for p in asked]) @ items
        self._by_words = np.stack([subspaces[p.subspace].component(vector_of[p.word]) for p in asked]) @ items
        self._is_base = bases[:, None] == rows[None]
        self._relevant = np.stack([np.isin(rows, pair.answers) for pair in asked])

    def ndcg(self, swap: SubspaceSwap) -> np.ndarray:
        """(queries,) nDCG@10; the base itself is no answer."""
        scores = swap.apply(self._by_thing, self._by_own, self._by_words)
        scores[self._is_base] = -np.inf
        return ndcg(scores, self._relevant)


def _columns_by_slot(columns: Columns) -> dict[str, WordColumn]:
    """The first column of words of each of the lexicon's slots."""
    lexicon, found = load_lexicon(), dict[str, WordColumn]()
    for name in columns.names:
        column, slot = columns[name], lexicon.slot_of(name)
        if slot and isinstance(column, WordColumn):
            found.setdefault(slot, column)
    return found
