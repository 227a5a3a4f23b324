"""The bars of the click prototype, on its own protocol, with this engine's learning.

    python benchmarks/clicks/prototype_protocol.py poorer-feed --feed FEED.csv --to POORER.csv
    python benchmarks/clicks/prototype_protocol.py run --feed FEED.csv --poorer POORER.csv --out RUNS.jsonl
        [--seeds 1 2 3 4] [--searches 100000] [--behaviour "eta 1"]

or behind the engine's own first stage, which finds more and leaves less to gain:

    magpie --home HOME catalog import POORER.csv --images FOLDER && magpie --home HOME index rebuild
    python benchmarks/clicks/prototype_protocol.py run --feed FEED.csv --home HOME --out RUNS.jsonl …

A whole catalogue of some 40,000 items whose titles and attributes are damaged (`attribute_queries.py`); the prototype's
first stage is BM25 of the titles and noisy vectors (`prototype_stage.py`); for each seed
600 queries of which 120 are never logged, other shoppers and another hidden appeal (`shoppers.py`). 30 % of the lists
are an old ranking's, 60 % the first stage's, 10 % have one random pair exchanged. The gap is that to the best order of
the 200 candidates, by grades, and for clicks by what all shoppers want. Seeds from 100 on are for choosing constants.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from attribute_queries import read_true_feed, write_poorer_feed
from people import BEHAVIOURS, Behaviour
from prototype_stage import open_prototype_shop
from shoppers import Shoppers, open_shop, shop_around, traffic, true_clicks
from sweep import read_runs
from threadpoolctl import threadpool_limits
from ways import DEBIASED, GUARDED, NAIVE, NONE, PUBLISHED, RAW, learn_from

WAYS = (NONE, RAW, NAIVE, DEBIASED, GUARDED, PUBLISHED)
ORACLE = "best order"
MEASURES = ("held ndcg", "held gap", "held lose", "held lose .05", "seen ndcg", "seen gap", "seen lose", "clicks gap")


def main() -> None:
    given = parse_arguments()
    feed = read_true_feed(given.feed)
    if given.command == "poorer-feed":
        write_poorer_feed(feed, given.to)
        return
    done = [run for run in read_runs(given.out) if same_kind(run, given)]
    for seed in given.seeds:
        if any(run["seed"] == seed for run in done):
            continue
        shop = open_shop(feed, given.home, seed) if given.home else open_prototype_shop(feed, given.poorer, seed)
        run = run_once(Shoppers.draw(shop, seed), given.searches, BEHAVIOURS[given.behaviour], seed)
        done.append(run | {"first_stage": first_stage(given)})
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(f"done: seed {seed}, {done[-1]['clicks']:,} clicks", flush=True)
    show([run for run in done if run["seed"] in given.seeds])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    poorer, run = commands.add_parser("poorer-feed"), commands.add_parser("run")
    for command in (poorer, run):
        command.add_argument("--feed", type=Path, required=True)
    poorer.add_argument("--to", type=Path, required=True)
    run.add_argument("--out", type=Path, required=True)
    first = run.add_mutually_exclusive_group(required=True)
    first.add_argument("--poorer", type=Path, help="the prototype's first stage, over this feed")
    first.add_argument("--home", type=Path, help="the engine's own")
    run.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    run.add_argument("--searches", type=int, default=100_000)
    run.add_argument("--behaviour", choices=BEHAVIOURS, default="eta 1")
    return parser.parse_args()


def first_stage(given: argparse.Namespace) -> str:
    return "engine" if given.home else "prototype"


def same_kind(run: dict[str, Any], given: argparse.Namespace) -> bool:
    wanted = (given.searches, given.behaviour, first_stage(given))
    return (run["searches"], run["behaviour"], run["first_stage"]) == wanted


def run_once(shoppers: Shoppers, searches: int, behaviour: Behaviour, seed: int) -> dict[str, Any]:
    """One log, everything learned from it, and how that fares."""
    shop = shoppers.shop
    asked, held_out = shop.split(seed)
    shop.world.wants.update(zip(shop.keys, shoppers.mean_wants, strict=True))
    cells = shop_around(shoppers, asked, searches, behaviour, seed)
    learned = learn_from(shop.world, cells, behaviour)
    everything = {**{way: learned.orders[way] for way in WAYS}, ORACLE: oracle(shoppers)}
    ways = {
        way: outcome(shoppers, [orders[key] for key in shop.keys], asked, held_out, behaviour)
        for way, orders in everything.items()
    }
    run = {"behaviour": behaviour.name, "searches": searches, "seed": seed, "ways": ways, **learned.facts}
    return run | {"rerank_ms": reranking_times(shoppers, learned.ranker)}


def oracle(shoppers: Shoppers) -> dict[str, np.ndarray]:
    """The best order of the candidates by what shoppers want."""
    wanted = np.argsort(-shoppers.mean_wants, axis=1, kind="stable")
    return dict(zip(shoppers.shop.keys, wanted, strict=True))


def outcome(
    shoppers: Shoppers, orders: Sequence[np.ndarray], asked: np.ndarray, held_out: np.ndarray, behaviour: Behaviour
) -> dict[str, float]:
    """The MEASURES of these orders, one for each query."""
    grades, usual = shoppers.shop.grades, np.arange(10)
    before, after = (np.array([ndcg(of, order) for of, order in zip(grades, some, strict=True)]) for some in (
        [usual] * len(orders), orders))  # fmt: skip
    found: dict[str, float] = {}
    for name, of in (("held", held_out), ("seen", asked)):
        gain = (after - before)[of]
        found |= {f"{name} ndcg": after[of].mean(), f"{name} gap": gain.mean() / (1 - before[of]).mean()}
        found |= {f"{name} lose": (gain < -0.01).mean(), f"{name} lose .05": (gain < -0.05).mean()}
    shares, best = traffic(len(asked)), np.argsort(-shoppers.mean_wants, axis=1, kind="stable")
    clicks = [
        shares @ [true_clicks(shoppers, q, choose(q), behaviour) for q in asked]
        for choose in (lambda q: usual, lambda q: orders[q], lambda q: best[q])
    ]
    found |= {"clicks gap": (clicks[1] - clicks[0]) / (clicks[2] - clicks[0]), "clicks": clicks[1] / clicks[0] - 1}
    return {name: round(float(value), 4) for name, value in found.items()}


def ndcg(grades: np.ndarray, order: np.ndarray) -> float:
    """nDCG@10 with gain 2^grade - 1, against the best order of the same candidates."""
    discounts = 1 / np.log2(np.arange(2, 12))
    best = float((2.0 ** np.sort(grades)[::-1][:10] - 1) @ discounts)
    return float((2.0 ** grades[order[:10]] - 1) @ discounts) / best if best else 1.0


def reranking_times(shoppers: Shoppers, ranker: Any) -> dict[str, list[float]]:
    """Milliseconds for features, trees and order of 200 candidates at the median and at p95, on one thread."""
    clocks = {"wall": time.perf_counter, "cpu": time.thread_time}
    times: dict[str, list[float]] = {name: [] for name in clocks}
    with threadpool_limits(1):
        for key, stage in shoppers.shop.world.stages.items():
            fresh = replace(stage)  # as a search has it: nothing is worked out yet
            started = {name: clock() for name, clock in clocks.items()}
            ranker.order(fresh, key)
            for name, clock in clocks.items():
                times[name].append(1_000 * (clock() - started[name]))
    return {name: [round(float(np.percentile(of[10:], at)), 2) for at in (50, 95)] for name, of in times.items()}


def show(runs: Sequence[dict[str, Any]]) -> None:
    """Means over the seeds; then each seed's own numbers for what is served."""
    print("| way | " + " | ".join(MEASURES) + " |\n" + "|---" * (len(MEASURES) + 1) + "|")
    for way in (*WAYS, ORACLE):
        means = [float(np.mean([run["ways"][way][name] for run in runs])) for name in MEASURES]
        print(f"| {way} | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    for run in runs:
        own = run["ways"][GUARDED]
        print(f"seed {run['seed']}: {run['clicks']:,} clicks; " + ", ".join(f"{m} {own[m]:.3f}" for m in MEASURES))
        errors = f"{run['propensity_error']} (by pairs of positions {run['propensity_error_by_pairs']})"
        took = f"{run['learn_s']} s ({run['learn_cpu_s']} of CPU, one ranker alone {run['refit_cpu_s']})"
        print(f"  propensities off by {errors}, learned in {took},", end=" ")
        print(f"200 re-ranked in {run['rerank_ms']} ms (median, p95); {run['verdict']['reason']}")


if __name__ == "__main__":
    main()
