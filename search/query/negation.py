"""What "not …" takes from a score: a colour is avoided by colour alone, anything else by what it does not share."""

import re
from dataclasses import dataclass

import numpy as np

from magpie.indexer.composition.attribute_subspaces import Concepts, Family
from magpie.indexer.vectors import unit_rows

_FAMILY_WEIGHT = 0.6
_PLAIN_WEIGHT = 0.5
_SEPARATORS = re.compile(r"[,;，；、]")


@dataclass(frozen=True)
class Avoided:
    """One thing that is not wanted: the (dim,) unit vector of its words, and the family they belong to, if they do."""

    vector: np.ndarray
    family: Family | None

    def penalties(self, vectors: np.ndarray) -> np.ndarray:
        """(n,) what (n, dim) unit rows lose, from 0 on.

        Within a family the square spares neighbours: with "not blue", navy loses much, green hardly anything.
        """
        if self.family is not None:
            return np.asarray(_FAMILY_WEIGHT * np.maximum(0.0, self.family.likeness(vectors, self.vector)) ** 2)
        return np.asarray(_PLAIN_WEIGHT * np.maximum(0.0, vectors @ self.vector))


@dataclass(frozen=True)
class Avoidance:
    """All that is not wanted."""

    each: tuple[Avoided, ...]

    def penalties(self, vectors: np.ndarray) -> np.ndarray:
        """(n,) what (n, dim) unit rows lose for all of it, from 0 on."""
        return np.asarray(sum(one.penalties(vectors) for one in self.each))


def split_avoided(text: str) -> list[str]:
    """The things that a text names with commas between them."""
    return [one for part in _SEPARATORS.split(text) if (one := part.strip())]


def avoid(text: str, vector: np.ndarray, wanted: np.ndarray, concepts: Concepts) -> Avoided:
    """How to avoid the text with its (dim,) vector in a search for `wanted`.

    Outside all families it is avoided without what it shares with what is wanted: in "boots, not leather boots"
    only the leather.
    """
    family = concepts.family_of(text)
    if family is None:
        vector = unit_rows((vector - (vector @ wanted) * wanted)[None])[0]
    return Avoided(vector, family)
