"""The trained ranker: scores and orders the first-stage candidates of one search."""

from dataclasses import dataclass

import numpy as np

from magpie.search.ranker.click_statistics import NEW_QUERY, ClickStatistics, QueryStatistics, fold_of
from magpie.search.ranker.features import NAMES, features
from magpie.search.ranker.first_stage_arrays import DEPTH, FirstStage
from magpie.search.ranker.gamma_posterior import (
    gamma_posterior,
    guarded,
    learned_weight,
    level,
    ramp,
)
from magpie.search.ranker.trees import Trees

FEWEST_CLICKS = 1_000  # no ranker is trained on fewer: re-ranking was as likely to harm as to help
LEAST_SHARE = 0.15
# weights in the prior, by the name of the feature:
_SHARES = {"affinity": 0.5, "tag_affinity": 0.7, "tag_rate": 0.3, "kinship": 0.3}


@dataclass(frozen=True)
class Ranker:
    """Trees that expect click rates, cross-fitted over folds of queries, the click statistics, and how to weigh them.

    `kappa` is the strength of the trees' prior in exposures, `by_rank` (DEPTH,) the usual rate by first-stage rank,
    `new_share` the weight of the trees for queries without clicks. The first `depth` candidates may be reordered; those
    of queries without clicks only if `serves_new_queries`.
    """

    trees: Trees
    statistics: ClickStatistics
    kappa: float
    by_rank: np.ndarray
    new_share: float = LEAST_SHARE
    depth: int = DEPTH
    serves_new_queries: bool = True

    def serves(self, key: str) -> bool:
        """Whether this ranker may order the hits of a query."""
        return self.serves_new_queries or self.statistics.knows(key)

    def warm_up(self) -> None:
        """Orders two blank candidates: fills the caches before the first search, and raises where it is damaged."""
        dim = self.statistics.query_vectors.shape[1]
        self.order(FirstStage.blank(2, dim), self.statistics.queries[0] if self.statistics.queries else "")

    def features(self, stage: FirstStage, key: str) -> np.ndarray:
        """(n, len(NAMES)) features of the candidates: the `values` that the methods below take."""
        return features(stage, self.statistics, key)

    def order(self, stage: FirstStage, key: str) -> np.ndarray:
        """(n,) the places of the first `depth` candidates, best first; equal ones keep their first-stage order."""
        return self.order_by(stage, key, self.features(stage, key))

    def order_by(self, stage: FirstStage, key: str, values: np.ndarray) -> np.ndarray:
        """The same order from given features."""
        return np.argsort(-self.scores(stage, key, values)[: self.depth], kind="stable")

    def drawn_orders(self, stage: FirstStage, key: str, values: np.ndarray, seed: int, draws: int) -> np.ndarray:
        """(draws, m) orders as `order_by` gives them, each by rates drawn from the posterior (Thompson, On the
        likelihood that one unknown probability exceeds another, Biometrika 1933)."""
        own = self.statistics.of_query(key, stage.ids)
        mean = self._mean_rates(own, key, values)
        shape, scale = own.clicks + self.kappa * mean, 1 / (own.exposure + self.kappa)
        rates = np.random.default_rng(seed).gamma(shape, scale, (draws, len(stage)))
        scores = self._guarded(rates, key, values, float(own.exposure.sum()))
        return np.argsort(-scores[:, : self.depth], axis=1, kind="stable")

    def scores_as_new(self, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) the scores that the candidates would get without clicks of the query's own."""
        return self._guarded(self.expected_rates(key, values), key, values, 0.0)

    def expected_rates(self, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) expected rates relative to the query's usual one, without the query's own clicks."""
        return self.trees.rates(self._fold(key), values)

    def believed_rates(self, stage: FirstStage, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) clicks per exposure: the expected rates, corrected by the query's own exposures and clicks."""
        own = self.statistics.of_query(key, stage.ids)
        return gamma_posterior(self._mean_rates(own, key, values), own.exposure, own.clicks, self.kappa)

    def _mean_rates(self, own: QueryStatistics, key: str, values: np.ndarray) -> np.ndarray:
        relative = self.expected_rates(key, values)
        return relative * level(relative, own.exposure, own.clicks, self.statistics.usual_rate)

    def scores(self, stage: FirstStage, key: str, values: np.ndarray) -> np.ndarray:
        """(n,) scores, the higher the better."""
        exposure = float(self.statistics.of_query(key, stage.ids).exposure.sum())
        return self._guarded(self.believed_rates(stage, key, values), key, values, exposure)

    def clicks_at(self, stage: FirstStage, key: str, values: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """(n,) the clicks with which the candidates would have these scores, given all else; may be negative."""
        own = self.statistics.of_query(key, stage.ids)
        weight = learned_weight(self.new_share, float(own.exposure.sum()), self.statistics.num_clicks)
        rates = np.exp((scores - (1 - weight) * prior_log_rates(self.statistics, key, values)) / weight)
        return np.asarray(rates * (own.exposure + self.kappa) - self.kappa * self._mean_rates(own, key, values))

    def _guarded(self, rates: np.ndarray, key: str, values: np.ndarray, exposure: float) -> np.ndarray:
        """Scores: the logarithm of the rates, blended with the prior by first-stage rank and words of the query."""
        num_clicks = self.statistics.num_clicks
        prior = prior_log_rates(self.statistics, key, values)
        return guarded(rates, prior, learned_weight(self.new_share, exposure, num_clicks))

    def _fold(self, key: str) -> int:
        return _fold(self.statistics, key)


def prior_log_rates(statistics: ClickStatistics, key: str, values: np.ndarray) -> np.ndarray:
    """(n,) the prior of the scores: logarithms of rates by first-stage rank and score, fit and words of the query.

    `values` are features in first-stage order."""
    columns = {name: values[:, NAMES.index(name)] for name in ("score_gap", "fit", "conflict", *_SHARES)}
    places = np.column_stack(
        [np.log1p(np.arange(len(values))), *(columns[n] for n in ("score_gap", "fit", "conflict"))]
    )
    said = sum(share * columns[name] for name, share in _SHARES.items())
    return statistics.affinities.of_places(places, _fold(statistics, key)) + ramp(statistics.num_clicks) * said


def _fold(statistics: ClickStatistics, key: str) -> int:
    return fold_of(key) if statistics.knows(key) else NEW_QUERY
