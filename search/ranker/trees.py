"""The grown trees of a ranker: the click rates that they expect of candidates, from the features of these."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from magpie.search.ranker.tree_inference import Forest


@dataclass(frozen=True)
class Trees:
    """One forest per fold, `forests[fold]` grown without the fold's queries, and the last one with all."""

    forests: Sequence[Forest]

    def rates(self, fold: int, values: np.ndarray) -> np.ndarray:
        """(n,) expected rates, relative to the query's usual one, of candidates with these features."""
        return np.maximum(self.forests[fold].predict(values), 1e-4)


def calibrated(forest: Forest, level: float, slope: float) -> Forest:
    """The forest whose sums are the logarithms of rates: `level` plus `slope` times what this one sums up."""
    return replace(forest, leaves=slope * forest.leaves + level / len(forest.leaves), is_log=np.array(True))
