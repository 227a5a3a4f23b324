"""The history of rankers: the off-policy gate's estimate of each, and how people used each, with intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.data.aggregates.query_sessions import NOBODY, Searches
from magpie.data.settings import Settings
from magpie.search.confidence_intervals import Interval, around
from magpie.search.ranker.ranker_store import current_ranker, ranker_versions, read_manifest


@dataclass(frozen=True)
class Standing:
    """A trained ranker and the gate's estimates of the clicks that it gains over no re-ranking, as shares.

    `known` is for queries that the log knows, `placebo` what the same training gains from clicks in which nobody
    prefers anything; both are None where there were too few clicks to judge. `queries` is how many were compared.
    """

    version: str
    created_at: str
    is_serving: bool
    reason: str
    known: Interval | None
    placebo: Interval | None
    queries: int

    @property
    def number(self) -> str:
        """The short name of the version: how many there were before it, and one."""
        return self.version.partition("-")[0].lstrip("0")


@dataclass(frozen=True)
class RankerUse:
    """How people searched while a ranking answered: the share of searches with a click, and the mean reciprocal rank of
    the topmost click (0 without one). Rankings served at different times, so this compares them only roughly."""

    ranker: str
    searches: int
    people: int
    clicked: Interval
    reciprocal_rank: Interval


def read_standings(settings: Settings) -> list[Standing]:
    """All rankers on disk, newest first. Raises RankerBroken."""
    serving = current_ranker(settings)
    return [
        _standing(version, read_manifest(settings, version), serving) for version in ranker_versions(settings)[::-1]
    ]


def _standing(version: str, manifest: dict[str, Any], serving: str | None) -> Standing:
    report = manifest["report"]
    known, placebo = report.get("known"), report.get("placebo")
    return Standing(
        version=version,
        created_at=manifest["created_at"],
        is_serving=version == serving,
        reason=report["reason"],
        known=_interval(known),
        placebo=_interval(placebo),
        queries=known["queries"] if known else 0,
    )


def _interval(estimate: dict[str, Any] | None) -> Interval | None:
    return Interval(*(estimate[name] for name in ("lift", "lower", "upper"))) if estimate else None


def count_ranker_use(searches: Searches, min_people: int) -> list[RankerUse]:
    """The rankings that answered searches with words of at least `min_people` people, the most used first."""
    worded = np.array([bool(query) for query in searches.queries], bool)
    rows = np.flatnonzero(worded[searches.query]) if len(searches) else np.zeros(0, np.int64)
    asked = searches.where(rows)
    people = asked.people_by(asked.ranker, len(asked.rankers))
    used = []
    for place, name in enumerate(asked.rankers):
        if people[place] < min_people:
            continue
        own = asked.where(np.flatnonzero(asked.ranker == place))
        reciprocal = np.where(own.clicked > 0, 1 / np.maximum(own.clicked, 1), 0.0)
        clicked, rank = (_mean(values, own.person) for values in ((own.clicked > 0).astype(float), reciprocal))
        used.append(RankerUse(name, len(own), int(people[place]), clicked, rank))
    return sorted(used, key=lambda one: (-one.searches, one.ranker))


def _mean(values: np.ndarray, person: np.ndarray) -> Interval:
    """The mean with an interval that counts on people, not on their searches, being independent (a ratio estimator:
    Cochran, Sampling techniques, 1977, chapter 6); a search of nobody stands alone."""
    alone = np.where(person == NOBODY, person.max(initial=0) + 1 + np.arange(len(person)), person)
    _, cluster = np.unique(alone, return_inverse=True)
    mean = float(values.mean())
    deviations = np.bincount(cluster, values - mean)
    found = around(mean, float(np.sqrt((deviations**2).sum())) / len(values))
    return Interval(mean, max(0.0, found.low), min(1.0, found.high))
