"""`magpie train ranker`: trains a ranker on the click log, and publishes it if the off-policy gate passes it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from magpie.data.aggregates.click_aggregates import ClickAggregates, read_click_aggregates, refresh_click_aggregates
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.erasure.erase import forgotten_at
from magpie.data.events.query_normalisation import query_key
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import count_filtered, filter_spam
from magpie.search.click_models.click_models import ClickModelReport, PositionModel, choose_click_model, split_by_day
from magpie.search.click_models.debiased_rates import Pairs, count_pairs
from magpie.search.click_models.overclicked_items import OVERCLICKED, without_promoters
from magpie.search.click_models.position_bias import POSITIONS, Propensities
from magpie.search.click_models.saved_bias import save_position_bias
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.ranker.click_statistics import gather_click_statistics
from magpie.search.ranker.first_stage_arrays import FirstStage, gather_first_stage
from magpie.search.ranker.ranker import FEWEST_CLICKS, Ranker
from magpie.search.ranker.ranker_store import drop_stale_rankers, publish_ranker, save_ranker
from magpie.search.ranker_training.cold_query_share import with_new_share
from magpie.search.ranker_training.fit_ranker import fit_ranker
from magpie.search.ranker_training.off_policy_gate import Contenders, Verdict, judge
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RankedList

MOST_QUERIES = 1_000  # those with the most exposures are searched again for their features
_LATER_SHARE = 0.25
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
        version, verdict = None, _too_few(cells)
        if verdict is None:
            stages = _first_stages(first_stage, pairs, on_progress)
            numbers = Catalogue(database, settings).ids_of(pairs.items)
            ranker, verdict = learn(aim, click_models, stages, numbers)
            version = save_ranker(settings, ranker, fingerprint, verdict.as_dict(), log_read_ms)
            if verdict.is_better:
                publish_ranker(settings, version)
        drop_stale_rankers(settings, forgotten_ms)
    data = {"days": counted.days, "searches": counted.searches, "capped": counted.capped}
    data |= {"impressions": int(cells.impressions.sum()), "clicks": cells.num_clicks}
    data |= {"conversions": int(cells.conversions.sum()), "queries": len(cells.queries), "items": len(cells.items)}
    seconds = round(time.perf_counter() - started, 2)
    aside = count_filtered(database) | ({OVERCLICKED: num_overclicked} if num_overclicked else {})
    return TrainingReport(version, verdict.is_better, data, aside, click_models, verdict, seconds)


def _too_few(cells: ClickAggregates) -> Verdict | None:
    if cells.num_clicks < FEWEST_CLICKS:
        return Verdict(False, f"There are {cells.num_clicks:,} clicks to learn from; {FEWEST_CLICKS:,} are needed.")
    if len(np.unique(cells.day)) < 2:
        return Verdict(False, "All clicks are of one day; a later day is needed to judge by.")
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


def learn(
    cells: ClickAggregates, click_models: ClickModelReport, stages: Mapping[str, FirstStage], numbers: Mapping[str, int]
) -> tuple[Ranker, Verdict]:
    """The ranker of all cells and the off-policy gate's verdict on it; `numbers` gives `items.id` by item id."""
    early, late = split_by_day(cells, _LATER_SHARE)
    known = gather_click_statistics(count_pairs(early, click_models.model), stages, numbers)
    later = gather_click_statistics(count_pairs(late, click_models.model), {}, numbers)
    position_bias = click_models.propensities.theta * _reach(cells)
    earlier = with_new_share(fit_ranker(known, stages), stages, position_bias)
    as_clicked = PositionModel(Propensities(np.ones(POSITIONS), np.zeros(POSITIONS), 0))
    naive, whole = (
        fit_ranker(gather_click_statistics(count_pairs(part, model), stages, numbers), stages)
        for part, model in ((early, as_clicked), (cells, click_models.model))
    )
    naive, whole = replace(naive, new_share=earlier.new_share), with_new_share(whole, stages, position_bias)
    verdict = judge(Contenders(earlier, naive, whole), later, stages, position_bias)
    return replace(whole, depth=verdict.depth, serves_new_queries=verdict.serves_new_queries), verdict


def _reach(cells: ClickAggregates) -> np.ndarray:
    """(POSITIONS,) how often each position is shown, relative to the first."""
    shown = np.bincount(cells.position, cells.impressions, POSITIONS + 1)[1 : POSITIONS + 1]
    return np.minimum(shown / max(shown[0], 1.0), 1.0)
