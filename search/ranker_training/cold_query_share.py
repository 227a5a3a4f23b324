"""Chooses how much weight the trees get for queries without clicks, by queries whose own clicks are left out."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from magpie.search.ranker.first_stage_arrays import FirstStage
from magpie.search.ranker.ranker import LEAST_SHARE, Ranker
from magpie.search.ranker_training.off_policy_gate import ALIKE, Estimate, estimate

SHARES = (LEAST_SHARE, 0.3, 0.45, 0.6)
_MORE_HARMED = 1.25  # times as many queries as where the trees are not followed at all


def with_new_share(ranker: Ranker, stages: Mapping[str, FirstStage], position_bias: np.ndarray) -> Ranker:
    """The ranker with the largest share of SHARES that harms few left-out queries and gains no less than a share of 0.

    Each known query is ordered by what was learned without it, and the order is judged by the query's own clicks, as in
    the off-policy gate. The lift alone would choose too large a share: trees promote items that are liked for every
    query, and the count of harmed queries shows that before the lift does. `position_bias` as in
    `off_policy_gate.estimate`.
    """
    known = {}
    for key in ranker.statistics.queries:
        if key in stages:
            values = ranker.features(stages[key], key)
            known[key] = values, ranker.expected_rates(key, values)
    found = {share: _as_new(replace(ranker, new_share=share), stages, position_bias, known) for share in (0.0, *SHARES)}
    none = found[0.0]
    harmless = [
        share
        for share in SHARES
        if found[share].harmed <= _MORE_HARMED * none.harmed and found[share].lift >= none.lift
    ]
    return replace(ranker, new_share=max(harmless, default=LEAST_SHARE))


def _as_new(
    ranker: Ranker,
    stages: Mapping[str, FirstStage],
    position_bias: np.ndarray,
    known: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Estimate:
    def order(stage: FirstStage, key: str) -> np.ndarray:
        values, rates = known[key]
        return ranker.order_by_rates(rates, key, values)

    return estimate(order, ranker, ranker.statistics, stages, position_bias, ALIKE)
