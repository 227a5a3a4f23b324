"""The grown trees of a ranker: the click rates that they expect of candidates, from the features of these."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from magpie.search.ranker.tree_inference import Forest

POISSON, LAMBDAMART = "poisson", "lambdamart"


@dataclass(frozen=True)
class Trees:
    """One forest per fold, `forests[fold]` without the fold's queries, and the last one with all.

    `objective` is POISSON or LAMBDAMART. The latter's scores are no rates: their logarithms are `level` plus `slope`
    times the score.
    """

    objective: str
    forests: Sequence[Forest]
    level: float = 0.0
    slope: float = 1.0

    def rates(self, fold: int, values: np.ndarray) -> np.ndarray:
        """(n,) expected rates, relative to the query's usual one, of candidates with these features."""
        found = self.forests[fold].predict(values)
        if self.objective == LAMBDAMART:
            found = np.exp(self.level + self.slope * found)
        return np.maximum(found, 1e-4)
