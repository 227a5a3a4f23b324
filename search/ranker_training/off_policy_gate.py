"""The off-policy gate: whether a ranker may serve, estimated from the clicks of days it was not trained on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from magpie.search.ranker.click_statistics import ClickStatistics
from magpie.search.ranker.first_stage_arrays import DEPTH, FirstStage
from magpie.search.ranker.ranker import Ranker

DEPTHS = (DEPTH, 50, 20, 10)  # tried from the deepest on: what the log covers less, it can judge less
LEAST_COVERAGE = 0.8
FEWEST_CLICKS = 300
_PLACES = 20
_MOST_WEIGHT = 20.0
ALIKE = 100.0  # searches: new queries are many and rare, so no busy query may stand for them
_SURELY = 1.28  # standard errors: one-sided 90 %
Order = Callable[[FirstStage, str], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """Expected clicks a search of an order, relative to the first stage's, on days it was not trained on.

    `lift` with its standard error over queries; `coverage` is the share of looks that fall on items which the log
    showed; `harmed` the share of queries estimated to lose more than a twentieth of their clicks.
    """

    lift: float
    se: float
    coverage: float
    harmed: float
    queries: int

    @property
    def lower(self) -> float:
        """The lift that is exceeded with 90 % confidence."""
        return self.lift - _SURELY * self.se

    @property
    def upper(self) -> float:
        """The lift that is not reached with 90 % confidence."""
        return self.lift + _SURELY * self.se

    def as_dict(self) -> dict[str, Any]:
        numbers = {"lift": self.lift, "se": self.se, "lower": self.lower, "upper": self.upper}
        numbers["coverage"] = self.coverage
        return {name: round(x, 4) for name, x in (numbers | {"harmed": self.harmed}).items()} | {
            "queries": self.queries
        }


@dataclass(frozen=True)
class Verdict:
    """Whether to publish, how deep to reorder, whether for queries never seen too; the estimates and the reason."""

    is_better: bool
    reason: str
    depth: int = DEPTH
    serves_new_queries: bool = False
    known: Estimate | None = None
    new: Estimate | None = None
    naive: Estimate | None = None

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"publish": self.is_better, "reason": self.reason, "depth": self.depth}
        shown["serves_new_queries"] = self.serves_new_queries
        for name in ("known", "new", "naive"):
            estimate: Estimate | None = getattr(self, name)
            shown[name] = estimate.as_dict() if estimate else None
        return shown


@dataclass(frozen=True)
class Contenders:
    """The rankers to judge: trained on the earlier days, on their clicks without debiasing, and on all days."""

    earlier: Ranker
    naive: Ranker
    whole: Ranker


def judge(
    contenders: Contenders, later: ClickStatistics, stages: Mapping[str, FirstStage], position_bias: np.ndarray
) -> Verdict:
    """Whether a ranker may serve, by the clicks of days on which, or on queries with which, it was not trained.

    Known queries: the ranker of the earlier days by the later days' clicks. New queries: the ranker of all days, each
    query ordered by what was learned without it, by that query's clicks; the twin is estimated for comparison only.
    `position_bias` (>= 20,) is the probability that each position is shown and examined.
    """
    if later.num_clicks < FEWEST_CLICKS:
        return Verdict(False, f"Only {later.num_clicks:.0f} clicks on the later days; {FEWEST_CLICKS} are needed.")
    whole, reason = contenders.whole, ""
    for depth in DEPTHS:
        earlier, naive = (replace(one, depth=depth) for one in (contenders.earlier, contenders.naive))
        known = estimate(earlier.order, earlier, later, stages, position_bias)
        new = estimate(replace(whole, depth=depth).order_as_new, whole, whole.statistics, stages, position_bias, ALIKE)
        twin = estimate(naive.order, naive, later, stages, position_bias)
        fault = _fault(known)
        if not fault:
            told = f"Known queries gain {known.lift:+.1%} clicks (at least {known.lower:+.1%} with 90 % confidence)."
            return Verdict(True, told, depth, not _fault(new), known, new, twin)
        reason = f"Reordering the first {depth}: {fault}"
    return Verdict(False, reason, depth, False, known, new, twin)


def _fault(found: Estimate) -> str:
    if found.coverage < LEAST_COVERAGE:
        return f"the log shows only {found.coverage:.0%} of what it would show; {LEAST_COVERAGE:.0%} are needed."
    if found.lower <= 0:
        return f"clicks change by {found.lift:+.1%} ± {found.se:.1%}, which is not surely better."
    return ""


def estimate(
    order: Order,
    ranker: Ranker,
    later: ClickStatistics,
    stages: Mapping[str, FirstStage],
    position_bias: np.ndarray,
    most_searches: float = np.inf,
) -> Estimate:
    """The doubly robust estimate of an order (Dudik et al. 2011; by item and position, Li et al. 2018).

    What a first-stage rank promises stands in for items that the later days did not show, so the ranker earns nothing
    by its own word; where they were shown, the promise is corrected by their clicks, weighted by how much more the
    order shows them than the log did, at most _MOST_WEIGHT times. A query counts by its searches, at most as
    `most_searches`. Without common queries all is zero.
    """
    rows = [
        _values(order(stages[key], key), ranker, later, stages[key], key, position_bias)
        for key in later.queries
        if key in stages and ranker.statistics.knows(key)
    ]
    if not rows:
        return Estimate(0.0, 0.0, 0.0, 0.0, 0)
    searches, before, after, covered = np.array(rows).T
    searches = np.minimum(searches, most_searches)
    base = float((searches * before).sum())
    lift = float((searches * (after - before)).sum()) / base
    deviations = searches * (after - before - lift * before) / base
    harmed = float((after < 0.95 * before).mean())
    coverage = float((searches * covered).sum() / searches.sum())
    return Estimate(lift, float(np.sqrt((deviations**2).sum())), coverage, harmed, len(rows))


def _values(
    order: np.ndarray, ranker: Ranker, later: ClickStatistics, stage: FirstStage, key: str, position_bias: np.ndarray
) -> tuple[float, float, float, float]:
    """Searches (in looks at the first place), clicks a search before and after, and the share of looks covered."""
    own = later.of_query(key, stage.ids)
    searches = max(float(own.exposure.max(initial=0)), 1e-9)
    relative = ranker.by_rank[: len(stage)]
    mean = relative * float((own.clicks.sum() + 1) / ((own.exposure * relative).sum() + 1 / later.usual_rate))
    ranks = np.arange(len(stage))
    values = []
    for ranked in (ranks, np.concatenate([order, ranks[len(order) :]])):
        places = np.empty(len(stage), np.int64)
        places[ranked] = ranks
        shown = np.where(places < _PLACES, position_bias[np.minimum(places, _PLACES - 1)], 0.0)
        weight = np.minimum(shown * searches / np.maximum(own.exposure, 1e-9), _MOST_WEIGHT)
        correction = np.where(own.exposure > 0, weight * (own.clicks - own.exposure * mean) / searches, 0.0)
        values.append(float((shown * mean + correction).sum()))
    covered = float((shown * (own.exposure > 0)).sum() / shown.sum())
    return searches, values[0], values[1], covered
