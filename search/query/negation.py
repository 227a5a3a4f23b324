"""Computes what "not …" takes from a score: a colour is avoided by colour alone, the rest by what it does not share."""

import re
from dataclasses import dataclass

import numpy as np

from magpie.indexer.composition.attribute_subspaces import AttributeSubspaces, Subspace
from magpie.indexer.vectors import unit_rows

_SUBSPACE_WEIGHT = 0.6
_PLAIN_WEIGHT = 0.5
_SEPARATORS = re.compile(r"[,;，；、]")


@dataclass(frozen=True)
class NegatedPhrase:
    """One thing that is not wanted: the (dim,) unit vector of its words, and the subspace they belong to, if any."""

    vector: np.ndarray
    subspace: Subspace | None

    def penalties(self, vectors: np.ndarray) -> np.ndarray:
        """(n,) what (n, dim) unit rows lose, from 0 on.

        Within a subspace the square spares neighbours: with "not blue", navy loses much, green hardly anything.
        """
        if self.subspace is not None:
            return np.asarray(_SUBSPACE_WEIGHT * np.maximum(0.0, self.subspace.similarity(vectors, self.vector)) ** 2)
        return np.asarray(_PLAIN_WEIGHT * np.maximum(0.0, vectors @ self.vector))


@dataclass(frozen=True)
class Negation:
    """All that is not wanted."""

    each: tuple[NegatedPhrase, ...]

    def penalties(self, vectors: np.ndarray) -> np.ndarray:
        """(n,) what (n, dim) unit rows lose for all of it, from 0 on."""
        return np.asarray(sum(one.penalties(vectors) for one in self.each))


def split_negated(text: str) -> list[str]:
    """The things that a text names with commas between them."""
    return [one for part in _SEPARATORS.split(text) if (one := part.strip())]


def negate(text: str, vector: np.ndarray, wanted: np.ndarray, subspaces: AttributeSubspaces) -> NegatedPhrase:
    """How to avoid the text with its (dim,) vector in a search for `wanted`.

    Outside all subspaces it is avoided without what it shares with what is wanted: in "boots, not leather boots"
    only the leather.
    """
    subspace = subspaces.subspace_of(text)
    if subspace is None:
        vector = unit_rows((vector - (vector @ wanted) * wanted)[None])[0]
    return NegatedPhrase(vector, subspace)
