"""Ranks a log's candidates in all compared ways: unchanged, by raw click rates, by rankers with and without parts."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from mantel_haenszel import measure_by_pairs
from outcomes import Orders, best_order
from people import Behaviour, World
from threadpoolctl import threadpool_limits

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import as_clicked, choose_click_model
from magpie.search.click_models.debiased_rates import count_pairs
from magpie.search.ranker.click_statistics import gather_click_statistics
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker_training.fit_ranker import fit_ranker
from magpie.search.ranker_training.train_ranker import learn

NONE, RAW, NAIVE, DEBIASED, GUARDED, PUBLISHED, BEST = (
    *("none", "raw rate", "naive ranker", "debiased, no guard", "debiased, guarded", "what the gate publishes"),
    "best order of 50",
)


@dataclass(frozen=True)
class Learned:
    """The orders of each way by query, what is said of the log (clicks, the error of the propensities, the gate, how
    long learning took with all comparisons, and one ranker alone), and the debiased ranker."""

    orders: dict[str, Orders]
    facts: dict[str, Any]
    ranker: Ranker


def learn_from(world: World, cells: ClickAggregates, behaviour: Behaviour) -> Learned:
    """All ways, learned from one log."""
    with threadpool_limits(1, "blas"):
        started, cpu = time.perf_counter(), time.process_time()
        report = choose_click_model(cells)
        ranker, verdict = learn(cells, report, world.stages, world.numbers)
        seconds = round(time.perf_counter() - started, 1), round(time.process_time() - cpu, 1)
        cpu = time.process_time()
        naive = train_naive(world, cells)
        refit = round(time.process_time() - cpu, 1)
    guarded = {key: ordered(world, key, ranker.order(world.stages[key], key)) for key in world.stages}
    served = {
        key: guarded[key] if verdict.is_better and ranker.serves(key) else _as_it_was(world, key) for key in guarded
    }
    orders: dict[str, Orders] = {
        NONE: {key: _as_it_was(world, key) for key in world.stages},
        RAW: by_raw_rate(world, cells),
        NAIVE: {key: naive.order(world.stages[key], key) for key in world.stages},
        DEBIASED: {key: _by_belief(world, ranker, key) for key in world.stages},
        GUARDED: guarded,
        PUBLISHED: served,
        BEST: {key: best_order(world, key) for key in world.stages},
    }
    truth = behaviour.examination(np.arange(1, 11))
    error, by_pairs = (
        None if behaviour.cascade else round(float(np.sqrt(np.mean((theta[:10] - truth) ** 2))), 4)
        for theta in (report.propensities.theta, measure_by_pairs(cells))
    )
    facts = {"clicks": cells.num_clicks, "model": report.model.name, "verdict": verdict.as_dict()}
    facts |= {"propensity_error": error, "propensity_error_by_pairs": by_pairs}
    facts |= {"learn_s": seconds[0], "learn_cpu_s": seconds[1], "refit_cpu_s": refit}
    return Learned(orders, facts, ranker)


def train_naive(world: World, cells: ClickAggregates) -> Ranker:
    """The same ranker from clicks as they are, as if every position were looked at alike."""
    pairs = count_pairs(cells, as_clicked())
    return fit_ranker(gather_click_statistics(pairs, world.stages, world.numbers), world.stages)


def by_raw_rate(world: World, cells: ClickAggregates) -> Orders:
    """What was clicked more often when it was shown goes first; queries that nobody asked stay as they are."""
    size = len(cells.queries), len(cells.items)
    places = cells.query * size[1] + cells.item
    shown, clicked = (
        np.bincount(places, x, size[0] * size[1]).reshape(size) for x in (cells.impressions, cells.clicks)
    )
    place_of = {number: place for place, number in enumerate(world.numbers.values())}
    orders = {key: _as_it_was(world, key) for key in world.stages}
    for number, key in enumerate(cells.queries):
        items = [place_of[int(id_)] for id_ in world.stages[key].ids]
        orders[key] = np.argsort(-clicked[number, items] / np.maximum(shown[number, items], 1), kind="stable")
    return orders


def ordered(world: World, key: str, order: np.ndarray) -> np.ndarray:
    """The order with the candidates below its depth, as they were."""
    return np.concatenate([order, np.arange(len(order), len(world.stages[key]))])


def _as_it_was(world: World, key: str) -> np.ndarray:
    return np.arange(len(world.stages[key]))


def _by_belief(world: World, ranker: Ranker, key: str) -> np.ndarray:
    stage = world.stages[key]
    return np.argsort(-ranker.believed_rates(stage, key, ranker.features(stage, key)), kind="stable")
