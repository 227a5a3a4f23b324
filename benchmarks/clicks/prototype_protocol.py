"""The bars of the click prototype, on its own protocol, with this engine's first stage and learning.

    python benchmarks/clicks/prototype_protocol.py poorer-feed --feed FEED.csv --to POORER.csv
    magpie --home HOME catalog import POORER.csv --images FOLDER && magpie --home HOME index rebuild
    python benchmarks/clicks/prototype_protocol.py run --feed FEED.csv --home HOME --out RUNS.jsonl [--seeds 1 2 3 4]
        [--searches 100000] [--behaviour "eta 1"]

A whole catalogue of some 40,000 items whose titles and attributes are damaged (`attribute_queries.py`); for each seed
600 queries of which 120 are never logged, other shoppers and another hidden appeal (`shoppers.py`). 30 % of the lists
are an old ranking's, 60 % the first stage's, 10 % have one random pair exchanged. The gap is that to the best order of
the 200 candidates, by grades, and for clicks by what all shoppers want. Seeds from 100 on are for choosing constants.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attribute_queries import read_true_feed, write_poorer_feed
from people import BEHAVIOURS, Behaviour
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
        shoppers = Shoppers.draw(open_shop(feed, given.home, seed), seed)
        done.append(run_once(shoppers, given.searches, BEHAVIOURS[given.behaviour], seed))
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
    for name in ("--home", "--out"):
        run.add_argument(name, type=Path, required=True)
    run.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    run.add_argument("--searches", type=int, default=100_000)
    run.add_argument("--behaviour", choices=BEHAVIOURS, default="eta 1")
    return parser.parse_args()


def same_kind(run: dict[str, Any], given: argparse.Namespace) -> bool:
    return (run["searches"], run["behaviour"]) == (given.searches, given.behaviour)


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


def reranking_times(shoppers: Shoppers, ranker: Any) -> list[float]:
    """Milliseconds for features, trees and order of 200 candidates at the median and at p95, on one thread."""
    times = []
    with threadpool_limits(1):
        for key, stage in shoppers.shop.world.stages.items():
            started = time.perf_counter()
            ranker.order(stage, key)
            times.append(1_000 * (time.perf_counter() - started))
    return [round(float(np.percentile(times[10:], of)), 2) for of in (50, 95)]


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
        print(f"  propensities off by {errors}, learned in {run['learn_s']} s,", end=" ")
        print(f"200 re-ranked in {run['rerank_ms']} ms (median, p95); {run['verdict']['reason']}")


if __name__ == "__main__":
    main()
