"""Grows the trees of a ranker with LightGBM: a Poisson regression of clicks on the features of candidates."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.search.ranker.features import NAMES
from magpie.search.ranker.tree_inference import Forest, forest_of
from magpie.search.ranker.trees import Trees

_MOST_EXPOSURE = 30.0  # of one row: no hot query may own the model
_TREES = 120
_FEW_ROWS = 10  # bagging must find some among them
_NEVER_AGAINST = (
    *("score", "score_z", "score_gap", "kinship", "kinship_z", "kindred_rate", "item_rate", "affinity"),
    *("fit", "tag_affinity", "tag_rate"),
)
_NEVER_FOR = ("conflict",)
# Small trees that may not turn these around lost nothing on held-out queries and harmed half as many (docs/clicks.md)
_PARAMETERS: dict[str, Any] = {
    "objective": "poisson",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "monotone_constraints": [int(name in _NEVER_AGAINST) - int(name in _NEVER_FOR) for name in NAMES],
    "seed": 3,
    "deterministic": True,
    "num_threads": 1,  # the rows are few: threads would only wait for each other
    "verbose": -1,
}


@dataclass(frozen=True)
class Rows:
    """The training rows of the trees: one for each candidate that was shown for a known query, grouped by query."""

    values: np.ndarray  # (n, len(NAMES))
    fold: np.ndarray
    query: np.ndarray
    rank: np.ndarray  # 0-based, first stage
    exposure: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray
    appeal: np.ndarray  # the factor of the item's popularity over all queries

    @property
    def due(self) -> np.ndarray:
        """(n,) expected clicks times the item's appeal; the trees learn what remains, its relevance to the query."""
        return np.asarray(self.expected * self.appeal)

    @property
    def weights(self) -> np.ndarray:
        """(n,) clicks due, with the exposure of a row cut off."""
        return np.asarray(self.due * np.minimum(1.0, _MOST_EXPOSURE / self.exposure))

    def where(self, chosen: np.ndarray) -> "Rows":
        """Only the chosen rows."""
        return Rows(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def grow_trees(rows: Rows, folds: int) -> Trees:
    """Trees cross-fitted over this many folds of queries; deterministic."""
    return Trees([_grow(rows.where(rows.fold != fold)) for fold in range(folds + 1)])


def _grow(rows: Rows) -> Forest:
    """Poisson regression of clicks on clicks due, as rates with weights; without clicks all rates are usual."""
    if rows.clicks.sum() > 0:
        values, rates, weights = rows.values, rows.clicks / rows.due, rows.weights
    else:
        values, rates, weights = np.ones((_FEW_ROWS, len(NAMES))), *np.ones((2, _FEW_ROWS))
    import lightgbm  # here: a server does without it

    data = lightgbm.Dataset(values, rates, weight=weights, feature_name=list(NAMES), params=_PARAMETERS.copy())
    return forest_of(lightgbm.train(_PARAMETERS.copy(), data, _TREES).dump_model())
