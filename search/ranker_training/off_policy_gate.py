"""The off-policy gate: whether a ranker may serve, estimated from the clicks of days it was not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import ClickModel
from magpie.search.click_models.position_bias import Propensities
from magpie.search.ranker.first_stage_arrays import DEPTH, FirstStage

DEPTHS = (DEPTH, 50, 20, 10)
LEAST_COVERAGE = 0.8
FEWEST_CLICKS, FEWEST_QUERIES = 300, 10
MOST_HARMED = 0.25
UNMEASURED_GAIN = 0.005  # least gain where the curve is assumed: a smaller one was found where nobody prefers anything
PROVEN, FEWEST_SWAPPED = 1.64, 30  # deviations and clicks from which items that took turns prove a ranker better
ALIKE = 100.0  # searches: new queries are many and rare, so no busy query may stand for them
SHOWN = 20  # ranks whose items have a value
_CURVES, _RESAMPLED = 30, 20
_DOUBT = 1.0  # looks by which an item's rate is drawn towards what its first-stage rank promises
_LOSS = 0.05  # of a query's value, which is a harm
_RANKS = np.arange(DEPTH)
DISCOUNTS = np.where(_RANKS < SHOWN, 1 / np.log2(_RANKS + 2), 0.0)
Places = Mapping[str, np.ndarray]  # by query key the new rank (0-based) of each first-stage candidate


@dataclass(frozen=True)
class Estimate:
    """How much more of what people want an order puts at the top, relative to the first stage, with 90 % bounds.

    The value of an order is the sum of what its items are wanted (clicks per look) times nDCG's discount. `lower` and
    `upper` cover queries and curve together, `lower` also the flattest curve of the band. `coverage` is the share of
    the value's weight on items which the log showed; `harmed` the share of queries estimated to lose more than a
    twentieth of their value, `most_harmed` its upper bound.
    """

    lift: float
    lower: float
    upper: float
    coverage: float
    harmed: float
    most_harmed: float
    queries: int

    def as_dict(self) -> dict[str, Any]:
        return {name: round(float(x), 4) for name, x in vars(self).items() if name != "queries"} | {
            "queries": self.queries
        }


NOTHING = Estimate(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0)


@dataclass(frozen=True)
class Swapped:
    """Evidence that needs no curve: which of the items that took turns at a position for a query got its clicks.

    `z` is the score of the ranker's preferences among them, in standard deviations: positive where the items that it
    raises got more than their share. `clicks` are those that could tell.
    """

    z: float
    clicks: int

    def as_dict(self) -> dict[str, Any]:
        return {"z": round(self.z, 2), "clicks": self.clicks}


@dataclass(frozen=True)
class Verdict:
    """Whether to publish, how deep to reorder, whether for queries never seen too; the estimates and the reason."""

    is_better: bool
    reason: str
    depth: int = DEPTH
    serves_new_queries: bool = False
    known: Estimate | None = None
    new: Estimate | None = None
    placebo: Estimate | None = None
    swapped: Swapped | None = None

    def as_dict(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"publish": self.is_better, "reason": self.reason, "depth": self.depth}
        shown["serves_new_queries"] = self.serves_new_queries
        for name in ("known", "new", "placebo", "swapped"):
            found: Estimate | Swapped | None = getattr(self, name)
            shown[name] = found.as_dict() if found else None
        return shown


@dataclass(frozen=True)
class JudgingDays:
    """The clicks of some days at the first-stage candidates of their queries: (t,) slots, one for each candidate.

    `query` is the place of each slot's query in `keys`, `rank` its first-stage rank; `slot` is that of each cell.
    """

    cells: ClickAggregates
    keys: Sequence[str]
    query: np.ndarray
    rank: np.ndarray
    slot: np.ndarray

    @classmethod
    def of(cls, cells: ClickAggregates, stages: Mapping[str, FirstStage], numbers: Mapping[str, int]) -> "JudgingDays":
        """Those of queries that were asked and have candidates; `numbers` gives `items.id` by item id."""
        asked = np.unique(cells.query)
        keys = [cells.queries[q] for q in asked if cells.queries[q] in stages]
        number = np.array([numbers.get(item, -1) for item in cells.items] or [-1], np.int64)
        query, rank = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        slot, before = np.full(len(cells), -1), 0
        place = {key: at for at, key in enumerate(cells.queries)}
        by_query = np.argsort(cells.query, kind="stable")
        starts = np.searchsorted(cells.query[by_query], np.arange(len(cells.queries) + 1))
        for at, key in enumerate(keys):
            ids, mine = stages[key].ids, by_query[starts[place[key]] : starts[place[key] + 1]]
            order = np.argsort(ids)
            wanted = number[cells.item[mine]]
            near = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
            slot[mine] = np.where(ids[near] == wanted, before + near, -1)
            query.append(np.full(len(ids), at))
            rank.append(np.arange(len(ids)))
            before += len(ids)
        kept = np.flatnonzero(slot >= 0)
        return cls(cells.where(kept), keys, np.concatenate(query), np.concatenate(rank), slot[kept])

    @property
    def num_clicks(self) -> float:
        return float(self.cells.clicks.sum())

    @cached_property
    def discounts(self) -> np.ndarray:
        """(DEPTH,) what an item at each rank is worth: nDCG's discount, times the share of pages that reach there."""
        shown = np.bincount(self.cells.position, self.cells.impressions, DEPTH + 1)[1 : DEPTH + 1]
        return np.asarray(DISCOUNTS * np.minimum(shown / max(float(shown[0]), 1.0), 1.0))

    @cached_property
    def searches(self) -> np.ndarray:
        """(queries,) how often each query was asked: the most impressions that one of its hits has."""
        shown = np.bincount(self.slot, self.cells.impressions, len(self.query))
        found = np.zeros(len(self.keys))
        np.maximum.at(found, self.query, shown)
        return found

    def wanted(self, model: ClickModel) -> tuple[np.ndarray, np.ndarray]:
        """(t,) clicks per look of each slot under a click model, and the variances of that.

        Where a slot was hardly looked at, what first-stage ranks promise stands in for it, so a ranker earns nothing by
        its own word (doubly robust: Dudik et al. 2011).
        """
        size = len(self.query)
        looks = np.bincount(self.slot, model.exposure(self.cells), size)
        clicks = np.bincount(self.slot, self.cells.clicks - model.trusted(self.cells), size)
        usual = max(clicks.sum(), 1.0) / max(looks.sum(), 1.0)
        level = (np.bincount(self.query, clicks, len(self.keys)) + usual) / (
            np.bincount(self.query, looks, len(self.keys)) + 1.0
        )
        due = np.bincount(self.rank, looks * level[self.query], DEPTH)
        promise = (np.bincount(self.rank, clicks, DEPTH) + 1.0) / (due + 1.0)
        seen = np.flatnonzero(due > 0)
        promise = np.interp(_RANKS, seen, promise[seen]) if len(seen) else np.ones(DEPTH)
        mean = promise[self.rank] * level[self.query]
        rate = (clicks + _DOUBT * mean) / (looks + _DOUBT)
        return rate, np.maximum(rate, 0.0) / (looks + _DOUBT) * looks / (looks + _DOUBT)

    def new_discounts(self, places: Places) -> np.ndarray:
        """(t,) the discounts of the ranks to which an order brings the slots."""
        return self.discounts[np.concatenate([places[key] for key in self.keys])] if self.keys else np.zeros(0)


def places_of(scores: np.ndarray, depth: int) -> np.ndarray:
    """(n,) the new rank of each candidate when the first `depth` are ordered by their scores."""
    places = np.arange(len(scores))
    order = np.argsort(-scores[:depth], kind="stable")
    places[order] = np.arange(len(order))
    return places


def estimate(places: Places, days: JudgingDays, model: ClickModel, most_searches: float = np.inf) -> Estimate:
    """The value of an order on these days; a query counts by its searches, at most as `most_searches`.

    The interval is a bootstrap over curves, drawn from their band, and over queries, together. Its lower end is that of
    the flattest curve of the band where this is lower.
    """
    if not days.keys or not days.num_clicks:
        return NOTHING
    before, after = days.discounts[days.rank], days.new_discounts(places)
    searches, queries = np.minimum(days.searches, most_searches), len(days.keys)

    def values(of: ClickModel) -> tuple[np.ndarray, np.ndarray]:
        rate, _ = days.wanted(of)
        return np.bincount(days.query, before * rate, queries), np.bincount(days.query, after * rate, queries)

    def lift(pair: tuple[np.ndarray, np.ndarray], weights: np.ndarray) -> Any:
        base = np.maximum(weights @ (searches * pair[0]), 1e-9)
        return weights @ (searches * (pair[1] - pair[0])) / base

    chance, everybody = np.random.default_rng(0), np.ones(queries)
    weights = chance.poisson(1.0, (_RESAMPLED, queries)).astype(float)
    drawn = np.concatenate([lift(values(one), weights) for one in _drawn_models(model)])
    flattest = values(model.flattest)
    worst = lift(flattest, chance.poisson(1.0, (10 * _RESAMPLED, queries)).astype(float))
    lower, upper = (float(np.quantile(drawn, q)) for q in (0.1, 0.9))
    lower = min(lower, float(np.quantile(worst, 0.1)))
    seen = np.bincount(days.slot, minlength=len(days.query)) > 0
    weight = searches[days.query] * after
    coverage = float(weight[seen].sum() / max(weight.sum(), 1e-9))
    rate, variance = days.wanted(model.flattest)
    gains = np.bincount(days.query, (after - before) * rate, queries) / np.maximum(flattest[0], 1e-9)
    noise = np.bincount(days.query, (after - before) ** 2 * variance, queries) / np.maximum(flattest[0], 1e-9) ** 2
    found = float(lift(values(model.cautious), everybody))
    return Estimate(found, min(lower, found), max(upper, found), coverage, *harmed(gains, noise), queries)


def harmed(gains: np.ndarray, noise: np.ndarray) -> tuple[float, float]:
    """The share of queries whose true gain is below -_LOSS, and its one-sided 90 % upper bound.

    True gains are taken for normal around their mean, and each is seen with a variance of its own, `noise`; so noise
    alone harms nothing (random effects: DerSimonian and Laird 1986).
    """
    from scipy.special import ndtr  # here: a server that has no ranker does without it

    def share(of: np.ndarray) -> float:
        some, error = gains[of], noise[of]
        weights = 1 / (error + np.median(error) + 1e-6)
        mean = float(weights @ some / weights.sum())
        spread = max(float(weights @ ((some - mean) ** 2 - error) / weights.sum()), 1e-6)
        return float(ndtr((-_LOSS - mean) / np.sqrt(spread)))

    chance = np.random.default_rng(1)
    resampled = [share(chance.integers(len(gains), size=len(gains))) for _ in range(10 * _RESAMPLED)]
    return share(np.arange(len(gains))), float(np.quantile(resampled, 0.9))


def _drawn_models(model: ClickModel) -> list[ClickModel]:
    curves = list(model.propensities.drawn(_CURVES))
    layouts: Mapping[str, list[Propensities]] = {
        name: list(curve.drawn(_CURVES, 1 + at)) for at, (name, curve) in enumerate(model.by_layout.items())
    }
    return [
        replace(model, propensities=curve, by_layout={name: drawn[at] for name, drawn in layouts.items()})
        for at, curve in enumerate(curves)
    ]


def compare_swapped(places: Places, days: JudgingDays) -> Swapped:
    """How the clicks at one position of a query fell on the items that took turns there, against chance.

    Given the clicks at a position, they fall on its items by how often each was shown, if no item is preferred; the
    score tests whether they follow the ranker's gains in discount (Cochran 1954, Mantel 1963). No curve is involved.
    """
    cells, size = days.cells, int(days.cells.position.max(initial=0)) + 1
    codes, row = np.unique((cells.query * size + cells.position) * len(days.query) + days.slot, return_inverse=True)
    shown, clicked = (np.bincount(row, x, len(codes)) for x in (cells.impressions, cells.clicks))
    spot, slot = np.divmod(codes, max(len(days.query), 1))
    _, spot = np.unique(spot, return_inverse=True)
    number = int(spot.max(initial=-1)) + 1
    gain = (days.new_discounts(places) - days.discounts[days.rank])[slot] if len(slot) else np.zeros(0)
    share = shown / np.bincount(spot, shown, number)[spot]
    clicks = np.bincount(spot, clicked, number)
    mean = np.bincount(spot, share * gain, number)
    variance = clicks * np.maximum(np.bincount(spot, share * gain**2, number) - mean**2, 0.0)
    score = float(clicked @ gain - clicks @ mean)
    tells = variance > 1e-12
    others = clicked[tells[spot] & (share < 0.5)].sum() if len(slot) else 0
    return Swapped(score / float(np.sqrt(variance.sum())) if tells.any() else 0.0, int(others))


def is_doubted(found: Estimate, placebo: Estimate) -> bool:
    """Whether a gain is not sure, or no surer than what the same training finds where there is nothing."""
    return found.lower <= max(0.0, placebo.lower) or found.most_harmed > MOST_HARMED


def decide(known: Estimate, placebo: Estimate, swapped: Swapped, is_measured: bool, clicks: float) -> tuple[bool, str]:
    """Whether a ranker may serve, and why, in a plain sentence.

    Where swapped items contradict the ranker it may not, whatever a curve makes of the other clicks.
    """
    gain = f"{known.lift:+.1%} (between {known.lower:+.1%} and {known.upper:+.1%} with the curve's own doubt)"
    if clicks < FEWEST_CLICKS:
        return False, f"Only {clicks:.0f} clicks on the later days; {FEWEST_CLICKS} are needed."
    if known.queries < FEWEST_QUERIES:
        return False, f"Only {known.queries} queries were asked on the later days; {FEWEST_QUERIES} are needed."
    if known.coverage < LEAST_COVERAGE:
        shown = f"{known.coverage:.0%} of what it would show; {LEAST_COVERAGE:.0%} are needed"
        return False, f"The log shows only {shown}."
    is_enough = swapped.clicks >= FEWEST_SWAPPED
    if is_enough and swapped.z <= 0:
        turns = f"Items that took turns at one position were clicked against the ranker ({swapped.z:+.1f} deviations)."
        return False, turns
    if known.lower <= (0.0 if is_measured else UNMEASURED_GAIN) and not (
        is_enough and swapped.z > PROVEN and known.lift > 0
    ):
        return False, f"What people want would stand higher by {gain}, which is not surely better."
    if known.lift <= placebo.lift or known.lower <= placebo.lower:
        nothing = f"a ranker trained on clicks dealt out by position alone seems to gain {placebo.lift:+.1%} as well"
        return False, f"What people want would stand higher by {gain}, but {nothing}."
    if known.most_harmed > MOST_HARMED:
        return False, f"Up to {known.most_harmed:.0%} of the queries may lose; {MOST_HARMED:.0%} are allowed."
    how = "measured" if is_measured else "assumed, so only what every falling curve allows was reordered"
    return True, f"What people want stands higher by {gain}. How far people look was {how}."
