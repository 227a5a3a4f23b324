"""Evidence and first stages → a ranker; a ranker and one search's candidates → their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from search.learning.evidence import FOLDS, NEW_QUERY, Evidence, fold_of
from search.learning.features import NAMES, features
from search.learning.first_stage import DEPTH, FirstStage
from search.learning.posterior import (
    fit_kappa,
    gamma_posterior,
    guarded,
    learned_weight,
    level,
    ramp,
    rates_by_rank,
)

if TYPE_CHECKING:
    import lightgbm

_MOST_EXPOSURE = 30.0  # of one row: no hot query may own the model
_TREES = 200
_FEW_ROWS = 10  # bagging must find some among them
_WORDS_SHARE = 0.7  # of what the words of a query promise
_NEVER_AGAINST = ("score", "score_z", "score_gap", "kinship", "kinship_z", "kindred_rate", "item_rate", "affinity")
# Small trees that may not turn these around lost nothing on held-out queries and harmed half as many (docs/clicks.md)
_PARAMETERS = {
    "objective": "poisson",
    "learning_rate": 0.03,
    "num_leaves": 7,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "monotone_constraints": [int(name in _NEVER_AGAINST) for name in NAMES],
    "seed": 3,
    "deterministic": True,
    "num_threads": 1,  # the rows are few: threads would only wait for each other
    "verbose": -1,
}


@dataclass(frozen=True)
class Rows:
    """What trees learn from: one row per candidate of a known query that was ever shown for it."""

    values: np.ndarray  # (n, len(NAMES))
    fold: np.ndarray
    query: np.ndarray
    rank: np.ndarray  # 0-based, first stage
    exposure: np.ndarray
    clicks: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class Ranker:
    """Trees that expect rates (`boosters[fold]` never saw the queries of the fold), and how far to trust them.

    `kappa` is the prior's strength in exposures, `by_rank` (DEPTH,) what a first-stage rank promises. The first `depth`
    candidates may be reordered; those of queries without clicks only if `serves_new_queries`.
    """

    boosters: Sequence["lightgbm.Booster"]
    evidence: Evidence
    kappa: float
    by_rank: np.ndarray
    depth: int = DEPTH
    serves_new_queries: bool = True

    def serves(self, key: str) -> bool:
        """Whether this ranker may order the hits of a query."""
        return self.serves_new_queries or self.evidence.knows(key)

    def features(self, stage: FirstStage, key: str) -> np.ndarray:
        """(n, len(NAMES)) what the trees see of the candidates: the `values` that the methods below take."""
        return features(stage, self.evidence, key)

    def order(self, stage: FirstStage, key: str) -> np.ndarray:
        """(n,) the places of the first `depth` candidates, best first; equal ones keep their first-stage order."""
        return self.order_by(stage, key, self.features(stage, key))

    def order_by(self, stage: FirstStage, key: str, values: np.ndarray) -> np.ndarray:
        """The same order from features that are there already."""
        return np.argsort(-self.scores(stage, key, values)[: self.depth], kind="stable")

    def order_as_new(self, stage: FirstStage, key: str) -> np.ndarray:
        """The order that the query would get if nobody had ever asked it."""
        values = self.features(stage, key)
        scores = self._guarded(self.expected_rates(key, values), stage, key, values, 0.0)
        return np.argsort(-scores[: self.depth], kind="stable")

    def expected_rates(self, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) rates relative to the query's usual one, from everything but the query's own clicks."""
        return _predict(self.boosters[self._fold(key)], values)

    def believed_rates(self, stage: FirstStage, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) clicks per look: what is expected, corrected by what this query itself showed and got."""
        relative, own = self.expected_rates(key, values), self.evidence.of_query(key, stage.ids)
        mean = relative * level(relative, own.exposure, own.clicks, self.evidence.usual_rate)
        return gamma_posterior(mean, own.exposure, own.clicks, self.kappa)

    def scores(self, stage: FirstStage, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) scores, the higher the better."""
        exposure = float(self.evidence.of_query(key, stage.ids).exposure.sum())
        return self._guarded(self.believed_rates(stage, key, values), stage, key, values, exposure)

    def _guarded(
        self, rates: np.ndarray, stage: FirstStage, key: str, values: np.ndarray, exposure: float
    ) -> np.ndarray:
        """The rates pulled towards what the place in the first stage and the words of the query promise."""
        num_clicks = self.evidence.num_clicks
        by_words = _WORDS_SHARE * ramp(num_clicks) * values[:, NAMES.index("affinity")]
        promised = self.evidence.affinities.of_places(stage.places, self._fold(key)) + by_words
        return guarded(rates, promised, learned_weight(exposure, num_clicks))

    def _fold(self, key: str) -> int:
        return fold_of(key) if self.evidence.knows(key) else NEW_QUERY


def train_ranker(evidence: Evidence, stages: Mapping[str, FirstStage]) -> Ranker:
    """The ranker of this evidence; deterministic. Its boosters are cross-fitted over folds of queries."""
    rows = training_rows(evidence, stages)
    boosters = [_train(rows, rows.fold != fold) for fold in range(FOLDS + 1)]
    mean = np.zeros(len(rows.fold))
    for fold in range(FOLDS):
        mine = rows.fold == fold
        mean[mine] = _predict(boosters[fold], rows.values[mine])
    levels = np.zeros(len(mean))
    for query in np.unique(rows.query):
        of = rows.query == query
        levels[of] = level(mean[of], rows.exposure[of], rows.clicks[of], evidence.usual_rate)
    kappa = fit_kappa(mean * levels, rows.exposure, rows.clicks)
    return Ranker(boosters, evidence, kappa, rates_by_rank(rows.rank, rows.expected, rows.clicks))


def training_rows(evidence: Evidence, stages: Mapping[str, FirstStage]) -> Rows:
    """The rows of all queries that have both evidence and a first stage."""
    found = []
    for number, key in enumerate(evidence.queries):
        stage = stages.get(key)
        if stage is None:
            continue
        own = evidence.of_query(key, stage.ids)
        shown = np.flatnonzero(own.exposure > 0)
        values = features(stage, evidence, key)[shown]
        numbers = (np.full(len(shown), fold_of(key)), np.full(len(shown), number), shown)
        found.append((values, *numbers, own.exposure[shown], own.clicks[shown], own.expected[shown]))
    if not found:
        empty = np.zeros(0)
        return Rows(np.zeros((0, len(NAMES)), np.float32), *(empty.astype(np.int64),) * 3, empty, empty, empty)
    return Rows(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _train(rows: Rows, chosen: np.ndarray) -> "lightgbm.Booster":
    """Poisson regression of clicks on expected clicks, as rates with weights; without rows all rates are usual."""
    import lightgbm  # here: a server that has no ranker does without it

    values, clicks, expected, exposure = (
        column[chosen] for column in (rows.values, rows.clicks, rows.expected, rows.exposure)
    )
    if not len(values):
        values, clicks, expected, exposure = (np.ones((_FEW_ROWS, len(NAMES))), *np.ones((3, _FEW_ROWS)))
    weights = expected * np.minimum(1.0, _MOST_EXPOSURE / exposure)
    data = lightgbm.Dataset(values, clicks / expected, weight=weights, feature_name=list(NAMES), params=_PARAMETERS)
    return lightgbm.train(_PARAMETERS, data, _TREES)


def _predict(booster: "lightgbm.Booster", values: np.ndarray) -> np.ndarray:
    return np.maximum(np.asarray(booster.predict(values, num_threads=1)), 1e-4)
