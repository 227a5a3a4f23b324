"""What a ranker gains in sales, and loses in clicks, where what is bought counts beside what is clicked.

    python benchmarks/clicks/conversions.py --home HOME --queries Q.jsonl --qrels QRELS [--searches 40000] [--seeds 1 2]
        [--weights 0 1 4]

All behaviour is simulated (`people.py`): what attracts clicks is not what is bought. Prints the true expected clicks
and sales of the first twenty hits, relative to no re-ranking, on queries that were asked and on others.
"""

import argparse
from pathlib import Path

import numpy as np
from outcomes import Orders
from people import BEHAVIOURS, SHOWN, Behaviour, World, browse, load_world
from threadpoolctl import threadpool_limits

from magpie.search.click_models.click_models import choose_click_model
from magpie.search.ranker_training.train_ranker import learn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--home", "--queries", "--qrels"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--searches", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 1.0, 4.0])
    given = parser.parse_args()
    behaviour = BEHAVIOURS["eta 1"]
    threadpool_limits(1, "blas")  # as in training
    print("| seed | weight | asked: clicks | sales | never asked: clicks | sales |\n" + "|---" * 6 + "|")
    for seed in given.seeds:
        world = load_world(given.home, given.queries, given.qrels, seed)
        groups = world.split(seed)
        cells = browse(world, groups[0], given.searches, behaviour, seed)
        browsing = choose_click_model(cells)
        for weight in given.weights:
            ranker, _ = learn(cells.with_conversions(weight), browsing, world.stages, world.numbers)
            orders = {key: ranker.order(world.stages[key], key) for key in world.stages}
            gains = [f"{gain:+.1%}" for keys in groups for gain in relative_gains(world, keys, orders, behaviour)]
            print(f"| {seed} | {weight:g} | {' | '.join(gains)} |", flush=True)


def relative_gains(world: World, keys: list[str], orders: Orders, behaviour: Behaviour) -> tuple[float, float]:
    """What clicks and sales gain over the order that was there, each query by its traffic."""
    looks = behaviour.examination(np.arange(1, SHOWN + 1))
    totals = np.zeros((2, 2))
    for place, key in enumerate(keys, 1):
        for row, order in enumerate((np.arange(SHOWN), orders[key][:SHOWN])):
            clicks = world.wants[key][order] * looks[: len(order)]
            totals[row] += place**-0.8 * np.array([clicks.sum(), (clicks * world.buys[key][order]).sum()])
    clicks, sales = totals[1] / totals[0] - 1
    return float(clicks), float(sales)


if __name__ == "__main__":
    main()
