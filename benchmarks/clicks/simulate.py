"""How much of the way to the best order clicks lead: simulated people on a real catalogue with known judgments.

    python benchmarks/clicks/simulate.py --home HOME --queries Q.jsonl --qrels QRELS [--searches 40000]
        [--behaviour "eta 1"] [--seed 1]

One log, and every way of learning from it (`people.py`, `ways.py`, `outcomes.py`). `sweep.py` does many of them.
"""

import argparse
from pathlib import Path

from outcomes import Outcome, outcome
from people import BEHAVIOURS, browse, load_world
from ways import learn_from

HEADER = (
    "| | asked: nDCG@10 | gap closed | clicks gap | lose > .01 / .05 "
    "| never asked: nDCG@10 | gap closed | lose > .01 / .05 |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--home", "--queries", "--qrels"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--searches", type=int, default=40_000)
    parser.add_argument("--behaviour", choices=BEHAVIOURS, default="eta 1")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    behaviour = BEHAVIOURS[given.behaviour]
    world = load_world(given.home, given.queries, given.qrels, given.seed)
    asked, held_out = world.split(given.seed)
    learned = learn_from(world, browse(world, asked, given.searches, behaviour, given.seed), behaviour)
    facts = learned.facts
    print(f"{behaviour.name}, {facts['clicks']:,} clicks; model: {facts['model']}")
    if facts["propensity_error"] is not None:
        print(f"propensities off by {facts['propensity_error']:.3f} (RMSE, positions 1 to 10)")
    print(f"gate: {facts['verdict']['reason']}")
    print(HEADER + "\n" + "|---" * 8 + "|")
    for name, orders in learned.orders.items():
        show(name, *(outcome(world, keys, orders, behaviour) for keys in (asked, held_out)))


def show(name: str, asked: Outcome, held_out: Outcome) -> None:
    """Prints one row of the table."""
    first = [f"{asked.ndcg:.3f}", f"{asked.ndcg_gap:+.0%}", f"{asked.clicks_gap:+.0%}", _lost(asked)]
    second = [f"{held_out.ndcg:.3f}", f"{held_out.ndcg_gap:+.0%}", _lost(held_out)]
    print(f"| {' | '.join([name, *first, *second])} |", flush=True)


def _lost(found: Outcome) -> str:
    return f"{found.lose_1:.1%} / {found.lose_5:.1%}"


if __name__ == "__main__":
    main()
