"""Bounds how far an item may rise in one training by nothing but the query's own clicks.

Bots that search and click as people do, and one item a little more, cannot be told from people by what they do. But
what they push fits no query, so neither words nor other queries' clicks promise it: it rises by few places a training,
and people have the time to pass it over.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from magpie.search.ranker.first_stage_arrays import FirstStage
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker_training.off_policy_gate import places_of

MOST_PLACES = 2  # by which an item may rise
_TURNS = 6  # what one item loses changes a little where others stand
_BELOW = 1e-6


def bound_rises(ranker: Ranker, before: Ranker | None, stages: Mapping[str, FirstStage]) -> tuple[Ranker, int]:
    """The ranker in which no item stands more than MOST_PLACES above where the ranker `before` had it, besides the
    places by which it rose without the query's own clicks; and how many items were held back.

    An item that is held back loses clicks of the query, until it stands where it may. Without a ranker before, nothing
    is: then there is nothing yet that people could have been shown.
    """
    if before is None:
        return ranker, 0
    keys = [key for key in stages if ranker.statistics.knows(key)]
    earliest = {key: _earliest(ranker, before, stages[key], key) for key in keys}
    clicks = ranker.statistics.counts[1].copy()
    for _ in range(_TURNS):
        bounded, clicks = replace(ranker, statistics=ranker.statistics.with_clicks(clicks)), clicks.copy()
        moved = [_hold_back(bounded, stages[key], key, earliest[key], clicks) for key in keys]
        if not any(moved):
            break
    held = int((clicks < ranker.statistics.counts[1]).sum())
    return replace(ranker, statistics=ranker.statistics.with_clicks(clicks)), held


def _earliest(ranker: Ranker, before: Ranker, stage: FirstStage, key: str) -> np.ndarray:
    """(n,) the first place at which each candidate may stand."""
    stood = promised_before = np.arange(len(stage))
    if before.serves(key):
        old = before.features(stage, key)
        stood = places_of(before.scores(stage, key, old), before.depth)
        promised_before = places_of(before.scores_as_new(key, old), before.depth)
    promised = places_of(ranker.scores_as_new(key, ranker.features(stage, key)), ranker.depth)
    return np.maximum(stood - MOST_PLACES - np.maximum(promised_before - promised, 0), 0)


def _hold_back(ranker: Ranker, stage: FirstStage, key: str, earliest: np.ndarray, clicks: np.ndarray) -> bool:
    """Takes from the `clicks` of the query's pairs what brings candidates too early; whether there were any."""
    values = ranker.features(stage, key)
    scores = ranker.scores(stage, key, values)
    at = ranker.statistics.pairs_of(key, stage.ids)
    early = np.flatnonzero((places_of(scores, ranker.depth) < earliest) & (at >= 0))
    early = early[clicks[at[early]] > 0]
    if len(early):
        enough = ranker.clicks_at(stage, key, values, _lowered(scores, earliest))
        clicks[at[early]] = np.clip(enough[early], 0, clicks[at[early]])
    return len(early) > 0


def _lowered(scores: np.ndarray, earliest: np.ndarray) -> np.ndarray:
    """(n,) the scores with which each stands at its earliest place or below, and else as it would."""
    waiting, lowered, last = np.argsort(-scores, kind="stable").tolist(), scores.copy(), np.inf
    for place in range(len(scores)):
        at = next((one for one in waiting if earliest[one] <= place), waiting[0])
        waiting.remove(at)
        lowered[at] = last = min(float(scores[at]), last - _BELOW)
    return lowered
