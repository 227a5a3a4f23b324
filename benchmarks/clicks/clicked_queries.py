"""What the queries that led people to items add to the index, for queries that were clicked and for others.

    python benchmarks/clicks/clicked_queries.py --home HOME --queries Q.jsonl --qrels QRELS [--seeds 1 2 3]

All behaviour is simulated, as `people.py` in this folder says. The home is copied and indexed with and without the
clicked part; nothing else learns. Prints nDCG@10 of both, and the share of queries that lose more than 0.05.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from people import BEHAVIOURS, HELD_OUT, browse, load_world

from magpie.data.aggregates.clicked_queries import ClickedQuery, weigh_clicked_queries
from magpie.data.database.connection import open_database
from magpie.data.events.query_normalisation import query_key
from magpie.data.settings import Settings
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.evaluation.evaluate import EvaluationOptions, read_qrels, read_queries

MODES = ("hybrid", "fused")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("home", "queries", "qrels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--searches", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    print("| seed | queries | mode | without | with | lose > 0.05 |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        shutil.copytree(arguments.home, home)
        for seed in arguments.seeds:
            index(home, {})
            world = load_world(home, arguments.queries, arguments.qrels, seed)
            keys = list(np.random.default_rng(seed).permutation(list(world.stages)))
            held, seen = keys[: int(HELD_OUT * len(keys))], keys[int(HELD_OUT * len(keys)) :]
            cells = browse(world, seen, arguments.searches, BEHAVIOURS["eta 1"], seed)
            before = measure(home, arguments.queries, arguments.qrels)
            index(home, weigh_clicked_queries(cells))
            after = measure(home, arguments.queries, arguments.qrels)
            for name, group in (("never clicked", held), ("clicked", seen)):
                for mode in MODES:
                    pair = ([figures[mode][key] for key in group] for figures in (before, after))
                    show(f"| {seed} | {name} | {mode} ", *pair)


def index(home: Path, clicked: dict[str, list[ClickedQuery]]) -> None:
    """Publishes an index of the home with these clicked queries."""
    settings = Settings(home=home)
    database = open_database(settings)
    rebuild(settings, database, clicked=lambda: clicked)
    database.close()


def measure(home: Path, queries: Path, qrels: Path) -> dict[str, dict[str, float]]:
    """nDCG@10 by mode and query, for the queries of words alone."""
    settings = Settings(home=home)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    grades: dict[str, dict[str, int]] = {}
    for judgment in read_qrels(qrels):
        grades.setdefault(judgment.query_id, {})[judgment.doc_id] = judgment.relevance
    found: dict[str, dict[str, float]] = {mode: {} for mode in MODES}
    for mode in MODES:
        for query_id, request in read_queries(queries, EvaluationOptions(mode=mode, rerank=False, depth=10)):
            if request.text and not (request.picture or request.like or request.not_text):
                shown = [grades[query_id].get(hit.item_id, 0) for hit in engine.search(request).hits]
                ideal = sorted(grades[query_id].values(), reverse=True)[:10]
                found[mode][query_key(request.text)] = gain_of(shown) / gain_of(ideal)
    engine.close()
    database.close()
    return found


def gain_of(grades: list[int]) -> float:
    """Discounted cumulative gain, 2^grade - 1 over the logarithm of the rank."""
    return float(sum((2.0**grade - 1) / np.log2(rank + 1) for rank, grade in enumerate(grades, 1)))


def show(name: str, before: list[float], after: list[float]) -> None:
    losses = np.array(before) - np.array(after)
    print(f"{name}| {np.mean(before):.3f} | {np.mean(after):.3f} | {(losses > 0.05).mean():.1%} |", flush=True)


if __name__ == "__main__":
    main()
