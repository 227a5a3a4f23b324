"""Computes the penalties of negated phrases: within an attribute subspace where one fits, else on whole vectors."""

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
    """A negated phrase: its (dim,) unit vector, and the attribute subspace that it belongs to, if any."""

    vector: np.ndarray
    subspace: Subspace | None

    def penalties(self, vectors: np.ndarray) -> np.ndarray:
        """(n,) penalties of (n, dim) unit rows, 0 or more.

        Within a subspace the similarity is squared, which spares neighbouring values: with "not blue", navy loses much
        and green hardly anything.
        """
        if self.subspace is not None:
            return np.asarray(_SUBSPACE_WEIGHT * np.maximum(0.0, self.subspace.similarity(vectors, self.vector)) ** 2)
        return np.asarray(_PLAIN_WEIGHT * np.maximum(0.0, vectors @ self.vector))


@dataclass(frozen=True)
class Negation:
    """All negated phrases of a query."""

    each: tuple[NegatedPhrase, ...]

    def penalties(self, vectors: np.ndarray) -> np.ndarray:
        """(n,) summed penalties of (n, dim) unit rows, 0 or more."""
        return np.asarray(sum(one.penalties(vectors) for one in self.each))


def split_negated(text: str) -> list[str]:
    """The phrases of a text that are separated by commas or semicolons."""
    return [one for part in _SEPARATORS.split(text) if (one := part.strip())]


def negate(text: str, vector: np.ndarray, query: np.ndarray, subspaces: AttributeSubspaces) -> NegatedPhrase:
    """The negated phrase `text` with its (dim,) unit vector, in a search for the (dim,) unit vector `query`.

    Where the phrase belongs to no subspace, its component along the query is removed: "boots, not leather boots" avoids
    leather only.
    """
    subspace = subspaces.subspace_of(text)
    if subspace is None:
        vector = unit_rows((vector - (vector @ query) * query)[None])[0]
    return NegatedPhrase(vector, subspace)
