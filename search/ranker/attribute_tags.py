"""The attribute values (tags) of candidates, guessed from neighbours where missing, and their fit to a query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from magpie.indexer.indexes.column_types import WordColumn
from magpie.indexer.text.query_words import stem_words

_SHARPNESS = 40.0  # of the cosine by which candidates say what the tags of others are
_TRUSTED = 0.9  # what a tag's own word counts, against what the candidates that look alike have
_LEAST = 0.05  # chance below which a guess is none


@dataclass(frozen=True)
class Tags:
    """Values of fields: `fields` and `values` (in lower case) of each tag, and as (m,) columns which candidate,
    `owner`, has which tag, `tag`."""

    fields: list[str]
    values: list[str]
    owner: np.ndarray
    tag: np.ndarray


NO_TAGS = Tags([], [], np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Likely:
    """The probabilities that candidates have tags: (m,) candidate, place of the tag in `names`, and probability.

    `said` (n,) by field: whether a candidate has the field itself.
    """

    names: list[tuple[str, str]]
    owner: np.ndarray
    tag: np.ndarray
    chance: np.ndarray
    said: Mapping[str, np.ndarray]

    def sums(self, worth: np.ndarray, number: int) -> np.ndarray:
        """(number,) the sum of `worth` (tags,) over each candidate's tags, weighted by their probabilities."""
        return np.bincount(self.owner, self.chance * worth[self.tag], number).astype(np.float64)


def read_tags(parts: Iterable[tuple[np.ndarray, np.ndarray, Mapping[str, WordColumn]]]) -> Tags:
    """The tags of candidates in several segments; `parts` are their places, rows and columns, by segment."""
    places: dict[tuple[str, str], int] = {}
    owners, tags = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for mine, rows, columns in parts:
        for name, column in columns.items():
            owner, codes = column.pairs(rows)
            different, place = np.unique(codes, return_inverse=True)
            words = [column.vocabulary[code].casefold() for code in different]
            numbers = np.array([places.setdefault((name, word), len(places)) for word in words], np.int64)
            owners.append(mine[owner])
            tags.append(numbers[place] if len(place) else place)
    fields, values = [name for name, _ in places], [word for _, word in places]
    return Tags(fields, values, np.concatenate(owners), np.concatenate(tags))


def guess_tags(tags: Tags, vectors: np.ndarray) -> Likely:
    """The probabilities of the candidates' tags: their own, or the others' weighted by similarity of `vectors`.

    `vectors` are (n, dim) unit rows; the mean is the kernel estimate of Nadaraya and Watson (1964).
    """
    names = list(zip(tags.fields, tags.values, strict=True))
    fields, field = np.unique(np.array(tags.fields, dtype=str), return_inverse=True)
    own = np.zeros((len(vectors), len(names)), np.float32)
    own[tags.owner, tags.tag] = 1.0
    counts = np.zeros((len(vectors), len(fields)), np.float32)
    np.add.at(counts, (tags.owner, field[tags.tag]), 1.0)
    own /= np.maximum(counts, 1.0)[:, field]
    alike = np.exp(_SHARPNESS * (vectors @ vectors.T - 1)).astype(np.float32)
    alike[np.diag_indices(len(alike))] = 0.0
    known = counts > 0
    others = alike @ own / np.maximum(alike @ known.astype(np.float32), 1e-30)[:, field]
    chances = np.where(known[:, field], _TRUSTED * own + (1 - _TRUSTED) * others, others)
    owner, tag = np.nonzero(chances >= _LEAST)
    return Likely(names, owner, tag, chances[owner, tag], {name: known[:, at] for at, name in enumerate(fields)})


def named_tags(names: list[tuple[str, str]], key: str) -> dict[str, np.ndarray]:
    """By field the tags that a query names, as places: all words of the value are among its words. Of "blue" and "navy
    blue" the longer one is meant."""
    asked = frozenset(stem_words(key))
    found: dict[str, list[tuple[int, frozenset[str]]]] = {}
    for place, (name, value) in enumerate(names):
        words = _stems(value)
        if words and words <= asked:
            found.setdefault(name, []).append((place, words))
    return {
        name: np.array([place for place, words in some if not any(words < other for _, other in some)])
        for name, some in found.items()
    }


def fit_of_tags(likely: Likely, key: str, number: int) -> np.ndarray:
    """(number, 2) the mean chance, over the fields of which the query names a value, that a candidate has it, and the
    share of these fields in which it says something else; zeros where the query names nothing."""
    named = named_tags(likely.names, key)
    fits = np.zeros((number, 2))
    for name, places in named.items():
        meant = np.zeros(len(likely.names))
        meant[places] = 1.0
        chance = np.minimum(likely.sums(meant, number), 1.0)
        fits[:, 0] += chance / len(named)
        fits[:, 1] += (likely.said[name] & (chance < 0.5)) / len(named)
    return fits


@lru_cache(100_000)
def _stems(value: str) -> frozenset[str]:
    return frozenset(stem_words(value))
