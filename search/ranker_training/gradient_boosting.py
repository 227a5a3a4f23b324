"""Rows of candidates with their clicks → trees that expect rates, by counts (Poisson) or by lists (LambdaMART)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.search.ranker.features import NAMES
from magpie.search.ranker.tree_inference import Forest, forest_of
from magpie.search.ranker.trees import LAMBDAMART, POISSON, Trees

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
_LABELS = 31  # LambdaMART's grades, evenly over rates from 0 to _BEST_RATE times the query's usual one
_BEST_RATE = 4.0
_RATE_PRIOR = 2.0  # expected clicks by which the rates behind the grades are drawn towards the usual one
_LISTWISE = {
    "objective": "lambdarank",
    "label_gain": list(range(_LABELS + 1)),
    "lambdarank_norm": False,  # it would undo the weights of the rows
    "lambdarank_truncation_level": 20,
}


@dataclass(frozen=True)
class Rows:
    """What trees learn from: one row per candidate of a known query that was ever shown for it, query by query."""

    values: np.ndarray  # (n, len(NAMES))
    fold: np.ndarray
    query: np.ndarray
    rank: np.ndarray  # 0-based, first stage
    exposure: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray
    appeal: np.ndarray  # the factor by which the item is liked whatever is asked

    @property
    def due(self) -> np.ndarray:
        """(n,) clicks expected of an item so well liked: what is left over is how it fits the query."""
        return np.asarray(self.expected * self.appeal)

    @property
    def weights(self) -> np.ndarray:
        """(n,) clicks due, with the exposure of a row cut off."""
        return np.asarray(self.due * np.minimum(1.0, _MOST_EXPOSURE / self.exposure))

    def where(self, chosen: np.ndarray) -> "Rows":
        """Only the chosen rows."""
        return Rows(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def grow_trees(rows: Rows, objective: str, folds: int) -> Trees:
    """Trees cross-fitted over this many folds of queries; deterministic."""
    grow = _GROWERS[objective]
    forests = [grow(rows.where(rows.fold != fold)) for fold in range(folds + 1)]
    if objective == POISSON:
        return Trees(objective, forests)
    scores = np.zeros(len(rows.fold))
    for fold in range(folds):
        mine = rows.fold == fold
        if mine.any():
            scores[mine] = forests[fold].predict(rows.values[mine])
    return Trees(objective, forests, *_calibration(scores, rows))


def _grow_by_counts(rows: Rows) -> Forest:
    """Poisson regression of clicks on clicks due, as rates with weights; without rows all rates are usual."""
    if not len(rows.values):
        return _grown(_PARAMETERS, np.ones((_FEW_ROWS, len(NAMES))), *np.ones((2, _FEW_ROWS)))
    return _grown(_PARAMETERS, rows.values, rows.clicks / rows.due, rows.weights)


def _grow_by_lists(rows: Rows) -> Forest:
    """LambdaMART (Burges, From RankNet to LambdaRank to LambdaMART, 2010) on the same debiased rates, as grades."""
    parameters = {**_PARAMETERS, **_LISTWISE}
    if not len(rows.values):
        ones = np.ones(_FEW_ROWS)
        return _grown(parameters, np.ones((_FEW_ROWS, len(NAMES))), ones, ones, [_FEW_ROWS])
    rates = (rows.clicks + _RATE_PRIOR) / (rows.due + _RATE_PRIOR)
    grades = np.clip(np.round(_LABELS / _BEST_RATE * rates), 0, _LABELS)
    _, sizes = np.unique(rows.query, return_counts=True)
    return _grown(parameters, rows.values, grades, rows.weights, sizes)


_GROWERS: dict[str, Callable[[Rows], Forest]] = {POISSON: _grow_by_counts, LAMBDAMART: _grow_by_lists}


def _grown(
    parameters: dict[str, Any],
    values: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    group: Sequence[int] | np.ndarray | None = None,
) -> Forest:
    import lightgbm  # here: a server does without it

    data = lightgbm.Dataset(
        values, labels, weight=weights, group=group, feature_name=list(NAMES), params=parameters.copy()
    )
    return forest_of(lightgbm.train(parameters.copy(), data, _TREES).dump_model())


def _calibration(scores: np.ndarray, rows: Rows) -> tuple[float, float]:
    """Level and slope under which the clicks are likeliest (a Poisson regression on the score alone), never falling."""
    from scipy.optimize import minimize  # here: a server that has no ranker does without it

    def loss(values: np.ndarray) -> float:
        logs = np.clip(values[0] + values[1] * scores, -10, 10)
        return float((rows.due * np.exp(logs) - rows.clicks * logs).sum() / max(rows.clicks.sum(), 1.0))

    level, slope = minimize(loss, np.array([0.0, 0.1]), method="Nelder-Mead").x
    return float(level), max(float(slope), 0.0)
