"""Reorders the merged candidates of a search by the published ranker; on any fault the first-stage order stays."""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from magpie.data.errors import RankerBroken
from magpie.data.events.query_normalisation import query_key
from magpie.data.home.safe_traceback import safe_traceback
from magpie.data.settings import Settings
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.ranker.features import NAMES
from magpie.search.ranker.first_stage_arrays import gather_first_stage
from magpie.search.ranker.named_rankings import FIRST_STAGE
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker.ranker_store import current_ranker, is_stale, open_ranker, read_manifest
from magpie.search.ranker.time_budget import REST_S, Stopwatch, TimeBudget, TooSlowError
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RELEVANCE, RankedList

log = logging.getLogger(__name__)

DRAWS = 100  # by which the probabilities of a drawn order are counted
_RERANKED_MODE = "hybrid"  # the mode that people search in, so the one that clicks tell about


@dataclass(frozen=True)
class Reranked:
    """An order, and which ranker made it. Where a trained one did, `taken` (n,) is the first-stage rank (0-based) of
    each candidate that it ordered, and `values` are the features that it saw, by first-stage rank; where the order was
    drawn, `chances` (n,) are the probabilities with which these candidates come to these places."""

    order: RankedList
    ranker: str = FIRST_STAGE
    taken: np.ndarray | None = None
    values: np.ndarray | None = None
    chances: np.ndarray | None = None

    @cached_property
    def _ranks(self) -> dict[int, int]:
        """The first-stage rank of each candidate that was ordered, by the item's number."""
        if self.taken is None:
            return {}
        return {int(id_): int(rank) for id_, rank in zip(self.order.ids, self.taken, strict=False)}

    def chance_at(self, k: int) -> float | None:
        """The probability of the k-th candidate's place where the order was drawn; below what was ordered it is 1."""
        if self.chances is None:
            return None
        return float(self.chances[k]) if k < len(self.chances) else 1.0

    def inputs_of(self, id_: int, first_stage_score: float) -> dict[str, float] | None:
        """The features of the candidate of this number with its first-stage rank and score, for the log."""
        rank = self._ranks.get(id_)
        if rank is None or self.values is None:
            return None
        values = {name: round(float(x), 5) for name, x in zip(NAMES, self.values[rank], strict=True) if x == x}
        return {"first_stage_rank": rank + 1, "first_stage_score": round(first_stage_score, 5)} | values


@dataclass(frozen=True)
class Loaded:
    """A version as it was opened for an encoder; without a ranker where it does not fit, and then why. `failures` says
    how it failed last while serving, until it does not."""

    version: str
    fingerprint: str
    ranker: Ranker | None
    time_budget: TimeBudget
    manifest: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    failures: list[str] = field(default_factory=list)

    @property
    def alarms(self) -> list[str]:
        """Why it does not serve, where it does not."""
        slow = [f"Ranker {self.version} is too slow and rests for {REST_S:.0f} s at a time."]
        return [self.fault] * bool(self.fault) + self.failures[-1:] + slow * self.time_budget.is_over


class Reranker:
    """The published ranker, taken up when another is published, and the versions that are compared with it. Safe to
    share among threads."""

    def __init__(self, settings: Settings, compared: Iterable[str] = ()) -> None:
        self._settings = settings
        self._compared = tuple(compared)
        self._loading = threading.Lock()
        self._published = ""
        self._loaded: Mapping[str, Loaded] = {}
        self._fault = ""

    @property
    def version(self) -> str:
        """The version that serves, or `first-stage`."""
        return self._published if self.has(self._published) else FIRST_STAGE

    @property
    def alarms(self) -> list[str]:
        """Why the published ranker, or one that is compared, does not serve, where it does not."""
        own = [self._fault] if self._fault else []
        return own + [alarm for loaded in self._loaded.values() for alarm in loaded.alarms]

    def learned_before(self, forgotten_ms: int) -> bool:
        """Whether the ranker that serves, or one that is compared, learned before something was forgotten."""
        return any(one.ranker and is_stale(one.manifest, forgotten_ms) for one in self._loaded.values())

    def has(self, version: str) -> bool:
        """Whether this version is at hand."""
        loaded = self._loaded.get(version)
        return loaded is not None and loaded.ranker is not None

    def refresh(self, fingerprint: str) -> None:
        """Takes up what is published; a ranker that does not fit is logged once and the first stage serves."""
        with self._loading:
            published, before = self._read_published(), self._loaded
            wanted = dict.fromkeys(version for version in (published, *self._compared) if version)
            self._loaded = {
                version: before[version]
                if version in before and before[version].fingerprint == fingerprint
                else self._open(version, fingerprint)
                for version in wanted
            }
            self._published = published

    def _read_published(self) -> str:
        try:
            published, self._fault = current_ranker(self._settings) or "", ""
        except RankerBroken as error:
            if str(error) != self._fault:
                log.error("%s The first stage serves alone.", error)
            published, self._fault = "", str(error)
        return published

    def _open(self, version: str, fingerprint: str) -> Loaded:
        time_budget = TimeBudget(self._settings.rerank_limit_ms)
        try:
            ranker = open_ranker(self._settings, version, fingerprint)
            return Loaded(version, fingerprint, ranker, time_budget, read_manifest(self._settings, version))
        except RankerBroken as error:
            log.error("%s The first stage serves alone.", error)
            return Loaded(version, fingerprint, None, time_budget, fault=str(error))

    def rerank(self, order: RankedList, request: SearchRequest, parsed: ParsedQuery) -> Reranked:
        """The order by the ranker for plain hybrid searches of words by relevance; all others stay as they came."""
        loaded = self._loaded.get(request.ranker or self._published)
        if loaded is None or loaded.ranker is None or not _is_learned_from(request, parsed) or len(order) < 2:
            return Reranked(order)
        if loaded.time_budget.is_over:
            return Reranked(order)
        return _tried(order, parsed, request, loaded, loaded.ranker)


def _tried(order: RankedList, parsed: ParsedQuery, request: SearchRequest, loaded: Loaded, ranker: Ranker) -> Reranked:
    """The order by the ranker; the first-stage order where the ranker fails or takes too long."""
    watch = loaded.time_budget.start()
    try:
        found = _reranked(order, parsed, request, loaded.version, ranker, watch)
    except TooSlowError as error:
        loaded.time_budget.count(was_slow=True)
        log.warning("ranker %s: %s; the first-stage order is shown", loaded.version, error)
        return Reranked(order)
    except Exception as error:
        log.error("ranker %s failed; the first-stage order is shown\n%s", loaded.version, safe_traceback(error))
        loaded.failures[:] = [f"Ranker {loaded.version} fails ({type(error).__name__}); the first stage serves alone."]
        return Reranked(order)
    loaded.time_budget.count(was_slow=False)
    loaded.failures.clear()
    return found


def _is_learned_from(request: SearchRequest, parsed: ParsedQuery) -> bool:
    plain = request.picture is None and not request.like and not request.not_text and parsed.vector is not None
    return plain and request.rerank and request.sort == RELEVANCE and request.mode == _RERANKED_MODE


def _reranked(
    order: RankedList, parsed: ParsedQuery, request: SearchRequest, version: str, ranker: Ranker, watch: Stopwatch
) -> Reranked:
    key = query_key(request.text)
    if not ranker.serves(key):
        return Reranked(order)
    stage = gather_first_stage(order, parsed)
    watch.check("gathering candidates")
    values = ranker.features(stage, key)
    watch.check("making features")
    if request.draw is not None:
        drawn = ranker.drawn_orders(stage, key, values, request.draw, DRAWS)
        watch.check("drawing orders")
        return Reranked(reordered(order, drawn[0]), version, drawn[0], values, (drawn == drawn[0]).mean(axis=0))
    taken = ranker.order_by(stage, key, values)
    watch.check("ordering")
    return Reranked(reordered(order, taken), version, taken, values)


def reordered(order: RankedList, taken: np.ndarray) -> RankedList:
    """The first len(taken) candidates in the order `taken`; the k-th of them gets the k-th best score there was.

    So scores still fall from hit to hit and mean what they meant, and what a candidate gained or lost against its own
    first-stage score is the addend of its clicks.
    """
    everything = np.concatenate([taken, np.arange(len(taken), len(order))])
    scores = np.array([order.first_stage_score(k) for k in range(len(taken))])
    clicks = np.zeros(len(order))
    clicks[: len(taken)] = scores - scores[taken]
    return order.reordered(everything, "clicks", clicks)
