"""The catalogue's own attribute pairs → how much a composed query takes out of a thing's vector and puts in.

Two items that differ in one attribute alone make a query without any label: like the first, but with the second's
value; the items that differ from the first just so are its answers. Two thirds of such queries choose the amounts for
each part, and the last third says whether that is better than to exchange in full.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from magpie.indexer.composition.attribute_subspaces import Exchange, Family
from magpie.indexer.indexes.attribute_columns import Columns, WordColumn
from magpie.indexer.paired_test import Comparison, ndcg
from magpie.indexer.text.lexicon import load_lexicon

_POOL = 3_000  # items among which pairs are sought and answers ranked
_MOST_PAIRS, _FEWEST_PAIRS = 300, 90
_AMOUNTS = [Exchange(taken, given) for taken in (0.4, 0.55, 0.7, 0.85, 1.0) for given in (0.6, 0.8, 1.0, 1.25)]
_IN_FULL = Exchange()
_SIGNIFICANT = 0.01  # of a choice among twenty
_KIND = "kind"


@dataclass(frozen=True)
class Pair:
    """Like the item `base`, but with the value `word` of that family. All rows are of the catalogue."""

    base: int
    family: str
    word: str
    answers: np.ndarray


def find_pairs(columns: Columns, families: Mapping[str, Family]) -> tuple[np.ndarray, list[Pair]]:
    """(m,) rows of the items that are sought among, and the queries.

    Items are compared by their kind and by what the lexicon knows besides (colour, gender, material, pattern).
    Without a column for the kind of thing there are none.
    """
    chance = np.random.default_rng(0)
    slots = _columns_by_slot(columns)
    names = [name for name in slots if name in families]
    if _KIND not in slots or not names:
        return np.zeros(0, np.int64), []
    codes = np.stack([slots[name].first_codes() for name in (_KIND, *names)], axis=1)
    described = np.flatnonzero(codes[:, 0] >= 0)
    pool = chance.permutation(described)[:_POOL]
    pairs: list[Pair] = []
    for base in pool:
        known = np.flatnonzero(codes[base, 1:] >= 0) + 1
        if len(pairs) == _MOST_PAIRS or not len(known):
            continue
        slot = int(chance.choice(known))
        is_same = codes[pool] == codes[base]
        others = np.delete(is_same, slot, axis=1).all(axis=1) & ~is_same[:, slot] & (codes[pool, slot] >= 0)
        if others.any():
            wanted = codes[chance.choice(pool[others]), slot]
            word = slots[names[slot - 1]].vocabulary[wanted]
            pairs.append(Pair(int(base), names[slot - 1], word, pool[others & (codes[pool, slot] == wanted)]))
    return pool, pairs


def learn_exchanges(
    parts: Mapping[str, np.ndarray],
    columns: Columns,
    families: Mapping[str, Family],
    encode: Callable[[list[str]], np.ndarray],
) -> tuple[dict[str, Exchange], dict[str, Any]]:
    """How each part exchanges, where that beats exchanging in full, and the comparisons for the manifest.

    `parts` are (n, dim) centred unit rows; `encode` turns t words into (t, dim) centred unit rows of queries.
    """
    pool, pairs = find_pairs(columns, families)
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
        trial = _Trial(vectors, there, asked, families, vector_of)
        learning, judging = np.arange(len(asked)) % 3 != 0, np.arange(len(asked)) % 3 == 0
        figures = {exchange: trial.ndcg(exchange) for exchange in _AMOUNTS}
        best = max(figures, key=lambda one: float(figures[one][learning].mean()))
        compared = Comparison.of(figures[_IN_FULL][judging], figures[best][judging])
        if compared.gain > 0 and compared.p < _SIGNIFICANT:
            chosen[part] = best
        about[part] = asdict(chosen.get(part, _IN_FULL)) | {
            "in_full": compared.baseline, "learned": compared.candidate, "p": compared.p, "pairs": int(judging.sum()),
        }  # fmt: skip
    return chosen, about


class _Trial:
    """The queries of one part, ready to be asked with any amounts: a score is linear in them."""

    def __init__(
        self,
        vectors: np.ndarray,
        rows: np.ndarray,
        asked: list[Pair],
        families: Mapping[str, Family],
        vector_of: Mapping[str, np.ndarray],
    ) -> None:
        items, bases = vectors[rows].T, np.array([pair.base for pair in asked])
        self._by_thing = vectors[bases] @ items
        self._by_own = np.stack([families[p.family].component(vectors[p.base]) for p in asked]) @ items
        self._by_words = np.stack([families[p.family].component(vector_of[p.word]) for p in asked]) @ items
        self._is_base = bases[:, None] == rows[None]
        self._relevant = np.stack([np.isin(rows, pair.answers) for pair in asked])

    def ndcg(self, exchange: Exchange) -> np.ndarray:
        """(queries,) nDCG@10; the base itself is no answer."""
        scores = exchange.apply(self._by_thing, self._by_own, self._by_words)
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
