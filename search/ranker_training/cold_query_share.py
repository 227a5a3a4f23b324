"""A ranker and the clicks of queries as if nobody had asked them → how far it may go for queries that nobody asked."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from magpie.search.ranker.first_stage_arrays import FirstStage
from magpie.search.ranker.ranker import LEAST_SHARE, Ranker
from magpie.search.ranker_training.off_policy_gate import ALIKE, Estimate, estimate

SHARES = (LEAST_SHARE, 0.3, 0.45, 0.6)
_MORE_HARMED = 1.25  # times as many queries as where the trees are not followed at all


def with_new_share(ranker: Ranker, stages: Mapping[str, FirstStage], looks: np.ndarray) -> Ranker:
    """The ranker with the largest share of its trees that harms few queries left out and gains no less than none does.

    Each known query is ordered by what was learned without it, and judged by its own clicks, as the gate does. Clicks
    alone would follow the trees too far where nothing but clicks tells what fits: they promote what is liked anyway,
    and the queries that lose by it show it first; of what the trees know of fit the clicks hardly tell. `looks` is that
    of `gate.estimate`.
    """
    known = {}
    for key in ranker.evidence.queries:
        if key in stages:
            values = ranker.features(stages[key], key)
            known[key] = values, ranker.expected_rates(key, values)
    found = {share: _as_new(replace(ranker, new_share=share), stages, looks, known) for share in (0.0, *SHARES)}
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
    looks: np.ndarray,
    known: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Estimate:
    def order(stage: FirstStage, key: str) -> np.ndarray:
        values, rates = known[key]
        return ranker.order_by_rates(rates, key, values)

    return estimate(order, ranker, ranker.evidence, stages, looks, ALIKE)
