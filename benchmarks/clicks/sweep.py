"""From a thousand clicks to a million, and for people of other habits: what each way of learning makes of them.

    python benchmarks/clicks/sweep.py --home HOME --queries Q.jsonl --qrels QRELS --out FILE.jsonl
        [--seeds 1 2 3] [--sizes 1000 10000 …] [--behaviours "eta 1" …] [--plots FOLDER]

Every run (behaviour, size, seed) is appended to FILE.jsonl when it is done and not done again, so this can be stopped
and gone on with. Sizes are clicks, roughly; behaviours other than the first are run at --size-of-others. In the end
tables are printed, and plots drawn as SVG.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from outcomes import outcome
from people import BEHAVIOURS, browse, load_world
from ways import BEST, DEBIASED, GUARDED, NAIVE, NONE, PUBLISHED, RAW, learn_from

CLICKS_A_SEARCH = 1.5
PLOTTED = (RAW, NAIVE, DEBIASED, GUARDED)
GROUPS = ("asked", "never asked")


def main() -> None:
    given = parse_arguments()
    first, *others = given.behaviours
    wanted = [(first, size) for size in given.sizes] + [(name, given.size_of_others) for name in others]
    done = read_runs(given.out)
    for seed in given.seeds:
        missing = [one for one in wanted if (*one, seed) not in {identity(run) for run in done}]
        world = load_world(given.home, given.queries, given.qrels, seed) if missing else None
        for name, size in missing:
            assert world is not None
            asked, held_out = world.split(seed)
            behaviour = BEHAVIOURS[name]
            searches = max(1, round(size / CLICKS_A_SEARCH))
            learned = learn_from(world, browse(world, asked, searches, behaviour, seed), behaviour)
            run: dict[str, Any] = {"behaviour": name, "size": size, "seed": seed, **learned.facts, "ways": {}}
            for way, orders in learned.orders.items():
                found = [asdict(outcome(world, keys, orders, behaviour)) for keys in (asked, held_out)]
                run["ways"][way] = dict(zip(GROUPS, found, strict=True))
            with given.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
            done.append(run)
            print(f"done: {name}, {learned.facts['clicks']:,} clicks, seed {seed}", flush=True)
    chosen = [run for run in done if run["seed"] in given.seeds]
    print_sizes([run for run in chosen if run["behaviour"] == first])
    print_behaviours([run for run in chosen if run["behaviour"] in others and run["size"] == given.size_of_others])
    if given.plots:
        given.plots.mkdir(parents=True, exist_ok=True)
        plot([run for run in chosen if run["behaviour"] == first], given.plots)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--home", "--queries", "--qrels", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--behaviours", nargs="+", choices=BEHAVIOURS, default=list(BEHAVIOURS))
    parser.add_argument("--size-of-others", type=int, default=100_000)
    parser.add_argument("--plots", type=Path)
    return parser.parse_args()


def read_runs(path: Path) -> list[dict[str, Any]]:
    """What was done before; a line that was cut off is done again."""
    runs = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            runs.append(json.loads(line))
        except ValueError:
            continue
    return runs


def identity(run: dict[str, Any]) -> tuple[str, int, int]:
    return run["behaviour"], run["size"], run["seed"]


def mean(runs: Sequence[dict[str, Any]], way: str, group: str, measure: str) -> float:
    return float(np.mean([run["ways"][way][group][measure] for run in runs]))


def print_sizes(runs: Sequence[dict[str, Any]]) -> None:
    """One row per size and way."""
    print("\n| clicks | way | asked: gap | clicks gap | lose > .01 / .05 | never asked: gap | lose > .01 / .05 |")
    print("|---" * 7 + "|")
    for size in sorted({run["size"] for run in runs}):
        same = [run for run in runs if run["size"] == size]
        for way in (NONE, RAW, NAIVE, DEBIASED, GUARDED, PUBLISHED, BEST):
            print(f"| {size:,} | {way} | {figures(same, way)} |")
        print(f"| {size:,} | *propensities off by* | {errors(same)} | | | | |")


def print_behaviours(runs: Sequence[dict[str, Any]]) -> None:
    """One row per behaviour, with the naive ranker beside."""
    print("\n| people | way | asked: gap | clicks gap | lose > .01 / .05 | never asked: gap | lose > .01 / .05 |")
    print("|---" * 7 + "|")
    for name in dict.fromkeys(run["behaviour"] for run in runs):
        same = [run for run in runs if run["behaviour"] == name]
        for way in (RAW, NAIVE, GUARDED, PUBLISHED):
            print(f"| {name} | {way} | {figures(same, way)} |")


def figures(runs: Sequence[dict[str, Any]], way: str) -> str:
    """The cells of one row, means over the runs."""
    cells = []
    for group in GROUPS:
        cells.append(f"{mean(runs, way, group, 'ndcg_gap'):+.0%}")
        if group == GROUPS[0]:
            cells.append(f"{mean(runs, way, group, 'clicks_gap'):+.0%}")
        cells.append(" / ".join(f"{mean(runs, way, group, name):.1%}" for name in ("lose_1", "lose_5")))
    return " | ".join(cells)


def errors(runs: Sequence[dict[str, Any]]) -> str:
    """The propensities' mean and worst RMSE over positions 1 to 10."""
    found = [run["propensity_error"] for run in runs if run["propensity_error"] is not None]
    return f"{np.mean(found):.3f} (worst {max(found):.3f})"


def plot(runs: Sequence[dict[str, Any]], folder: Path) -> None:
    """Gap closed, and queries harmed, by clicks: one panel for queries asked and one for those that never were."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    sizes = sorted({run["size"] for run in runs})
    for measure, title, file in (
        ("ndcg_gap", "share of the nDCG@10 gap that is closed", "clicks-gap.svg"),
        ("lose_5", "share of queries that lose more than .05", "clicks-harm.svg"),
    ):
        figure, panels = pyplot.subplots(1, 2, figsize=(8, 3), sharey=True)
        for panel, group in zip(panels, GROUPS, strict=True):
            for way in PLOTTED:
                values = [mean([run for run in runs if run["size"] == size], way, group, measure) for size in sizes]
                panel.plot(sizes, values, marker="o", markersize=3, label=way)
            panel.axhline(0, color="grey", linewidth=0.5)
            panel.set(xscale="log", xlabel="clicks", title=f"queries {group}")
        panels[0].set_ylabel(title, fontsize=8)
        panels[0].legend(fontsize=7)
        figure.tight_layout()
        figure.savefig(folder / file, metadata={"Date": None})
        pyplot.close(figure)


if __name__ == "__main__":
    main()
