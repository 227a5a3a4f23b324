"""`magpie train ranker`: trains a ranker on the click log, and publishes it if the off-policy gate passes it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from magpie.data.aggregates.click_aggregates import (
    ClickAggregates,
    count_people,
    read_click_aggregates,
    refresh_click_aggregates,
)
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.erasure.erase import forgotten_at
from magpie.data.errors import RankerBroken
from magpie.data.events.query_normalisation import query_key
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import count_filtered, filter_spam
from magpie.search.click_models.click_models import ClickModel, ClickModelReport, choose_click_model, split_by_day
from magpie.search.click_models.debiased_rates import Pairs, count_pairs
from magpie.search.click_models.overclicked_items import OVERCLICKED, without_promoters
from magpie.search.click_models.saved_bias import save_position_bias
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.ranker.click_statistics import gather_click_statistics
from magpie.search.ranker.first_stage_arrays import FirstStage, gather_first_stage
from magpie.search.ranker.ranker import FEWEST_CLICKS, Ranker
from magpie.search.ranker.ranker_store import (
    current_ranker,
    drop_stale_rankers,
    open_ranker,
    publish_ranker,
    save_ranker,
)
from magpie.search.ranker_training.bounded_rise import bound_rises
from magpie.search.ranker_training.cold_query_share import with_new_share
from magpie.search.ranker_training.fit_ranker import fit_ranker
from magpie.search.ranker_training.off_policy_gate import (
    ALIKE,
    DEPTHS,
    LEAST_COVERAGE,
    SHOWN,
    Estimate,
    JudgingDays,
    Swapped,
    Verdict,
    compare_swapped,
    decide,
    estimate,
    is_doubted,
    places_of,
)
from magpie.search.ranker_training.placebo import dealt_by_position
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RankedList

FEWEST_PEOPLE = 10
MOST_QUERIES = 1_000  # those with the most exposures are searched again for their features
_LATER_SHARE = 0.3  # of the clicks, by which a ranker is judged
_CHOOSING_SHARE = 0.2  # of the earlier clicks, by which its depth is chosen
Progress = Callable[[str, int, int], None]
FirstStageSearch = Callable[[SearchRequest], tuple[ParsedQuery, RankedList]]


@dataclass(frozen=True)
class TrainingReport:
    """The data of a training, its results and the gate's verdict. `version` is None where no ranker was trained."""

    version: str | None
    published: bool
    data: dict[str, int]
    set_aside: dict[str, int]
    click_models: ClickModelReport
    verdict: Verdict
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "published": self.published,
            "data": self.data,
            "set_aside": self.set_aside,
            "browsing": self.click_models.as_dict(),
            "gate": self.verdict.as_dict(),
            "seconds": self.seconds,
        }


def train(
    settings: Settings,
    database: Database,
    first_stage: FirstStageSearch,
    fingerprint: str,
    on_progress: Progress = lambda stage, done, total: None,
) -> TrainingReport:
    """Trains on the whole log and publishes the ranker if the gate lets it pass. Raises HomeLocked.

    `first_stage` gives what was asked and the candidates in order before anything learned from clicks; `fingerprint`
    is that of the encoder whose vectors it uses.
    Rankers that learned from what was forgotten since are deleted, whatever comes of the new one.
    """
    started = time.perf_counter()
    # thousands of short vector operations: on a busy machine their threads would mostly wait for each other
    with lock_home(settings.home, "ranker"), threadpool_limits(1, "blas"):
        forgotten_ms, log_read_ms = forgotten_at(database), now_ms()
        filter_spam(database)
        counted = refresh_click_aggregates(database)
        cells = read_click_aggregates(database)
        click_models = choose_click_model(cells)
        num_clicks = cells.num_clicks
        cells, click_models = without_promoters(database, cells, click_models)
        num_overclicked = num_clicks - cells.num_clicks
        save_position_bias(settings, cells, click_models.propensities)
        aim = cells.with_conversions(settings.conversion_weight)
        pairs = count_pairs(aim, click_models.model)
        version, held_back, verdict = None, 0, _too_few(cells, count_people(database))
        if verdict is None:
            stages = _first_stages(first_stage, pairs, on_progress)
            numbers = Catalogue(database, settings).ids_of(pairs.items)
            ranker, verdict = learn(aim, click_models, stages, numbers)
            ranker, held_back = bound_rises(ranker, _serving_ranker(settings, fingerprint), stages)
            version = save_ranker(settings, ranker, fingerprint, verdict.as_dict(), log_read_ms)
            if verdict.is_better:
                publish_ranker(settings, version)
        drop_stale_rankers(settings, forgotten_ms)
    data = {"days": counted.days, "searches": counted.searches, "capped": counted.capped}
    data |= {"impressions": int(cells.impressions.sum()), "clicks": cells.num_clicks}
    data |= {"held_back": held_back}
    data |= {"conversions": int(cells.conversions.sum()), "queries": len(cells.queries), "items": len(cells.items)}
    seconds = round(time.perf_counter() - started, 2)
    aside = count_filtered(database) | ({OVERCLICKED: num_overclicked} if num_overclicked else {})
    return TrainingReport(version, verdict.is_better, data, aside, click_models, verdict, seconds)


def _serving_ranker(settings: Settings, fingerprint: str) -> Ranker | None:
    """The ranker that serves, None where none does or can."""
    try:
        version = current_ranker(settings)
        return open_ranker(settings, version, fingerprint) if version else None
    except RankerBroken:
        return None


def _too_few(cells: ClickAggregates, people: int) -> Verdict | None:
    if cells.num_clicks < FEWEST_CLICKS:
        return Verdict(False, f"There are {cells.num_clicks:,} clicks to learn from; {FEWEST_CLICKS:,} are needed.")
    if len(np.unique(cells.day)) < 2:
        return Verdict(False, "All clicks are of one day; a later day is needed to judge by.")
    if people < FEWEST_PEOPLE:
        return Verdict(False, f"All searches are of {people} people; {FEWEST_PEOPLE} are needed, since tastes differ.")
    if len(np.unique(cells.position)) < 2:
        return Verdict(False, "Every hit was shown at one position; nothing tells which order would be better.")
    return None


def _first_stages(first_stage: FirstStageSearch, pairs: Pairs, on_progress: Progress) -> dict[str, FirstStage]:
    """The first stage's candidates of the queries with the most exposures, as it ranks today."""
    busiest = np.argsort(-pairs.query_exposure, kind="stable")[:MOST_QUERIES]
    stages: dict[str, FirstStage] = {}
    for done, place in enumerate(busiest, 1):
        key = pairs.queries[place]
        parsed, order = first_stage(SearchRequest(text=key, facets=False))
        if len(order) > 1 and parsed.vector is not None:
            stages[query_key(key)] = gather_first_stage(order, parsed)
        on_progress("queries", done, len(busiest))
    return stages


@dataclass(frozen=True)
class _Trial:
    """A ranker trained on the earlier days, and what the later days say of it."""

    ranker: Ranker
    known: Estimate
    new: Estimate
    swapped: Swapped
    clicks: float


def learn(
    cells: ClickAggregates, click_models: ClickModelReport, stages: Mapping[str, FirstStage], numbers: Mapping[str, int]
) -> tuple[Ranker, Verdict]:
    """The ranker of all cells and the off-policy gate's verdict on it; `numbers` gives `items.id` by item id.

    The ranker of the earlier days is judged by the later days' clicks under a curve of their own. What the same
    training gains from clicks that were dealt out by position alone is the placebo that it must exceed. Where the curve
    is not measured, rankers learn under the flattest of its band, so that nothing rises that another curve of the band
    would not raise.
    """
    trial = _try(cells, stages, numbers)
    placebo = _try(dealt_by_position(cells), stages, numbers, trial.ranker)
    is_measured = click_models.propensities.is_measured
    is_better, reason = decide(trial.known, placebo.known, trial.swapped, is_measured, trial.clicks)
    serves_new = is_better and not is_doubted(trial.new, placebo.new)
    whole = _fit(cells, click_models.model, stages, numbers)
    depth = trial.ranker.depth
    whole = replace(whole, depth=depth, new_share=trial.ranker.new_share, serves_new_queries=serves_new)
    estimates = (trial.known, trial.new, placebo.known, trial.swapped)
    return whole, Verdict(is_better, reason, depth, serves_new, *estimates)


def _fit(
    cells: ClickAggregates, model: ClickModel, stages: Mapping[str, FirstStage], numbers: Mapping[str, int]
) -> Ranker:
    return fit_ranker(gather_click_statistics(count_pairs(cells, model.cautious), stages, numbers), stages)


def _try(
    cells: ClickAggregates, stages: Mapping[str, FirstStage], numbers: Mapping[str, int], like: Ranker | None = None
) -> _Trial:
    """A ranker of the earlier days, its depth and its share for new queries chosen on days that it did not learn from
    (or those of the ranker `like`), judged on the latest days."""
    early, late = split_by_day(cells, _LATER_SHARE)
    first, choosing = split_by_day(early, _CHOOSING_SHARE)
    if not first.num_clicks:
        first = early
    not_learned_from = cells.where(cells.day > first.day.max(initial=0))
    model = choose_click_model(early).model
    ranker = _fit(first, model, stages, numbers)
    later, chosen_on, unseen, always = (
        JudgingDays.of(part, stages, numbers) for part in (late, choosing, not_learned_from, cells)
    )
    keys = always.keys
    values = {key: ranker.features(stages[key], key) for key in keys}
    ranker = replace(ranker, new_share=like.new_share) if like else with_new_share(ranker, values, always, model)
    scores = {key: ranker.scores(stages[key], key, values[key]) for key in keys}
    if like is None:
        depths = [depth for depth in DEPTHS if depth <= SHOWN or model.propensities.is_measured]
        by_depth = {
            depth: estimate({key: places_of(scores[key], depth) for key in chosen_on.keys}, chosen_on, model)
            for depth in depths
        }
        covered = [depth for depth in depths if by_depth[depth].coverage >= LEAST_COVERAGE]
        ranker = replace(ranker, depth=max(covered or DEPTHS[-1:], key=lambda depth: by_depth[depth].lower))
    else:
        ranker = replace(ranker, depth=like.depth)
    known = {key: places_of(scores[key], ranker.depth) for key in later.keys}
    new = {key: places_of(ranker.scores_as_new(key, values[key]), ranker.depth) for key in keys}
    return _Trial(
        ranker,
        estimate(known, later, model),
        estimate(new, always, model, ALIKE),
        compare_swapped({key: places_of(scores[key], ranker.depth) for key in unseen.keys}, unseen),
        later.num_clicks,
    )
