"""Chooses how much weight the trees get for queries without clicks, by queries whose own clicks are left out."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from magpie.search.click_models.click_models import ClickModel
from magpie.search.ranker.ranker import LEAST_SHARE, Ranker
from magpie.search.ranker_training.off_policy_gate import ALIKE, SHOWN, Estimate, JudgingDays, estimate, places_of

SHARES = (LEAST_SHARE, 0.3, 0.45, 0.6)
_MORE_HARMED = 0.05  # of the queries, beside those that are harmed where the trees are not followed at all


def with_new_share(ranker: Ranker, values: Mapping[str, np.ndarray], days: JudgingDays, model: ClickModel) -> Ranker:
    """The ranker with the largest share of SHARES that harms few left-out queries and gains no less than a share of 0.

    Each query is ordered by what was learned without it, and the order is judged by the query's own clicks on these
    `days`. The lift alone would choose too large a share: trees promote items that are liked for every query, and the
    count of harmed queries shows that before the lift does. `values` are the features by query.
    """
    found: dict[float, Estimate] = {}
    for share in (0.0, *SHARES):
        contender = replace(ranker, new_share=share)
        places = {key: places_of(contender.scores_as_new(key, values[key]), SHOWN) for key in days.keys}
        found[share] = estimate(places, days, model, ALIKE)
    none = found[0.0]
    harmless = [
        share
        for share in SHARES
        if found[share].harmed <= none.harmed + _MORE_HARMED and found[share].lift >= none.lift
    ]
    return replace(ranker, new_share=max(harmless, default=LEAST_SHARE))
