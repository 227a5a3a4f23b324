"""Affinities between words of queries and items or their attributes, as learned from clicks, looked up for a search."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from magpie.indexer.text.query_words import stem_words
from magpie.search.ranker.attribute_tags import Likely

_MOST_WORDS = 8  # of one query; they make 28 pairs
_PAIR_WEIGHT = 1.5  # what queries share in two words tells more than what they share in each of them
_LEAST_FALL = 0.05  # with the logarithm of the rank: the first stage's order decides where nothing else does


@dataclass(frozen=True)
class Table:
    """Values by two numbers: `cells` (m,) are ascending, the first number times `width` plus the second; `values`
    (sets, m), one row for every set of queries that it was learned from."""

    width: int
    cells: np.ndarray
    values: np.ndarray

    def at(self, first: np.ndarray, second: int, row: int) -> np.ndarray:
        """(n,) the values at n first numbers (negative: none) and one second, 0 where nothing is known."""
        by_second, starts, firsts = self._by_second
        mine = slice(int(starts[second]), int(starts[second + 1]))
        known = firsts[mine]
        if not len(known):
            return np.zeros(len(first))
        at = np.minimum(np.searchsorted(known, first), len(known) - 1)
        return np.where(known[at] == first, self.values[row, by_second[mine][at]], 0.0)

    @cached_property
    def _by_second(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The cells in the order of their second numbers, where each of these starts, and their first numbers: a search
        looks among the few of one word."""
        first, second = np.divmod(self.cells, self.width)
        order = np.argsort(second, kind="stable")
        starts = np.searchsorted(second[order], np.arange(self.width + 1))
        return order, starts, first[order]


NOTHING = Table(1, np.zeros(0, np.int64), np.zeros((0, 0), np.float32))


@dataclass(frozen=True)
class Affinities:
    """The addends of a query's terms (its words and pairs of them) to the logarithm of an item's click rate.

    `items` has them by item number and place of the term, `tagged` by place of the tag in `tags` and of the word; in
    `tagged`, the place after the last term is what a tag adds for every query. `falls` (sets, len(PLACES)) is how the
    logarithm of the rate changes with a candidate's place before any click (`FirstStage.places`).
    """

    terms: list[str]
    tags: list[tuple[str, str]]
    items: Table
    tagged: Table
    falls: np.ndarray

    @cached_property
    def _places(self) -> dict[str, int]:
        return {term: place for place, term in enumerate(self.terms)}

    @cached_property
    def _tag_places(self) -> dict[tuple[str, str], int]:
        return {name: place for place, name in enumerate(self.tags)}

    def of_query(self, key: str, ids: np.ndarray, row: int) -> np.ndarray:
        """(n,) what the terms of the query say for the items of these numbers; 0 where nothing is known."""
        total = np.zeros(len(ids))
        for term, weight in query_terms(key).items():
            if term in self._places:
                total += weight * self.items.at(ids, self._places[term], row)
        return total

    def of_tags(self, key: str, likely: Likely, number: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(number,) what the words of the query say for the candidates' tags, and what these tags add anyway."""
        known = np.array([self._tag_places.get(name, -1) for name in likely.names], np.int64)
        by_word = np.zeros(len(known))
        for term in query_words(key):
            if term in self._places:
                by_word += self.tagged.at(known, self._places[term], row)
        anyway = self.tagged.at(known, len(self.terms), row)
        return likely.sums(by_word, number), likely.sums(anyway, number)

    def of_places(self, places: np.ndarray, row: int) -> np.ndarray:
        """(n,) the logarithm of the rates that places promise; it falls from rank to rank, and never rises with what
        speaks against a candidate."""
        rank, gap, fit, conflict = self.falls[row]
        slopes = [min(rank, -_LEAST_FALL), max(gap, 0.0), max(fit, 0.0), min(conflict, 0.0)]
        return np.asarray(places @ np.array(slopes))


def query_words(key: str) -> list[str]:
    """The different words of a query that count."""
    return sorted(set(stem_words(key)[:_MOST_WORDS]))


def query_terms(key: str) -> dict[str, float]:
    """The words of a query and their pairs, with their weights."""
    words = query_words(key)
    return dict.fromkeys(words, 1.0) | {f"{a} {b}": _PAIR_WEIGHT for a, b in combinations(words, 2)}
