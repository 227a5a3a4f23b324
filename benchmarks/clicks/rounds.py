"""A ranker that learns from the clicks on its own rankings, round after round: does it get better, or drift?

    python benchmarks/clicks/rounds.py --home HOME --queries Q.jsonl --qrels QRELS --out FILE.jsonl
        [--seeds 1 2] [--rounds 6] [--searches 20000]

In each round people see what was learned from all rounds before (one search in ten has two hits exchanged), by three
ways of learning. Every finished round is appended to FILE.jsonl with its orders left out, so an interrupted way is done
again from its first round. Prints true expected clicks a search, by round, and how far off the propensities are.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from outcomes import Orders, best_order, true_clicks
from people import BEHAVIOURS, Behaviour, World, browse, joined, load_world
from sweep import read_runs
from threadpoolctl import threadpool_limits
from ways import GUARDED, NAIVE, RAW, by_raw_rate, train_naive

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import choose_click_model
from magpie.search.click_models.position_bias import measure_propensities
from magpie.search.ranker_training.train_ranker import learn

WAYS = (RAW, NAIVE, GUARDED)
HABIT = BEHAVIOURS["eta 1"]


def main() -> None:
    given = parse_arguments()
    done = {(run["way"], run["seed"]): run for run in read_runs(given.out)}
    threadpool_limits(1, "blas")  # as in training
    for seed in given.seeds:
        missing = [way for way in WAYS if (way, seed) not in done]
        if not missing:
            continue
        world = load_world(given.home, given.queries, given.qrels, seed)
        for way in missing:
            run = {"way": way, "seed": seed, **go_round(world, way, seed, given.rounds, given.searches)}
            with given.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
            done[way, seed] = run
            print(f"done: {way}, seed {seed}", flush=True)
    show([done[way, seed] for way in WAYS for seed in given.seeds], given.rounds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--home", "--queries", "--qrels", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--searches", type=int, default=20_000)
    return parser.parse_args()


def go_round(world: World, way: str, seed: int, rounds: int, searches: int) -> dict[str, Any]:
    """Expected clicks a search before the first round and after each, those of the best order, propensity errors."""
    asked, _ = world.split(seed)
    orders: Orders = {key: np.arange(len(world.stages[key])) for key in world.stages}
    clicks, errors, logs = [expected(world, asked, orders, HABIT)], [], []
    for number in range(rounds):
        logs.append(browse(world, asked, searches, HABIT, 100 * seed + number, orders, f"{way} {number}"))
        cells = joined(logs)
        orders = learned(world, way, cells, orders)
        clicks.append(expected(world, asked, orders, HABIT))
        theta = measure_propensities(cells).theta[:10]
        errors.append(float(np.sqrt(np.mean((theta - HABIT.examination(np.arange(1, 11))) ** 2))))
    best = expected(world, asked, {key: best_order(world, key) for key in asked}, HABIT)
    return {"clicks": clicks, "best": best, "errors": errors}


def learned(world: World, way: str, cells: ClickAggregates, before: Orders) -> Orders:
    """What is shown after this log; where the gate refuses a ranker, what was shown before."""
    if way == RAW:
        return by_raw_rate(world, cells)
    if way == NAIVE:
        naive = train_naive(world, cells)
        return {key: naive.order(world.stages[key], key) for key in world.stages}
    ranker, verdict = learn(cells, choose_click_model(cells), world.stages, world.numbers)
    if not verdict.is_better:
        return before
    return {key: ranker.order(world.stages[key], key) for key in world.stages}


def expected(world: World, asked: list[str], orders: Orders, behaviour: Behaviour) -> float:
    """True expected clicks a search, each query by its traffic."""
    shares = np.arange(1, len(asked) + 1) ** -0.8
    clicks = np.array([true_clicks(world, key, orders[key], behaviour) for key in asked])
    return float((shares * clicks).sum() / shares.sum())


def show(runs: list[dict[str, Any]], rounds: int) -> None:
    """One row per way and seed."""
    print(
        "| way | seed | "
        + " | ".join(["before", *map(str, range(1, rounds + 1)), "best", "propensities off by"])
        + " |"
    )
    print("|---" * (rounds + 5) + "|")
    for run in runs:
        numbers = " | ".join(f"{value:.3f}" for value in (*run["clicks"], run["best"]))
        print(f"| {run['way']} | {run['seed']} | {numbers} | {run['errors'][-1]:.3f} |")


if __name__ == "__main__":
    main()
