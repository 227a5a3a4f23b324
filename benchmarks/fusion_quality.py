"""How well each part alone, the fused vectors and the hybrid ranking find, by kind of query, with paired tests.

    python benchmarks/fusion_quality.py --feed catalog.csv --queries queries.jsonl --qrels qrels.txt

Imports the feed into a home of its own (kept, so that a second run encodes nothing again) or takes a ready one, and
prints nDCG@10 (gains 2^grade - 1) for every kind of query, which is what the query's id begins with. Behind each
figure stands the difference from the best single part and the p value of a paired t-test.
"""

import argparse
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from data.catalogue import Catalogue
from data.database import open_database
from data.importing import import_feed
from data.settings import Settings
from indexer.learned_fusion import KINDS
from indexer.rebuild import RebuildOptions, rebuild
from indexer.training.fusion import FusionOptions, train_fusion
from search.engine import SearchEngine
from search.evaluation import EvaluationOptions, read_qrels, read_queries

PARTS_ALONE = ("text", "image", "lexical")
DEPTH = 10

Scores = dict[str, np.ndarray]  # (n,) one figure a query, by kind of query


def main() -> None:
    arguments = read_arguments()
    settings = Settings(home=arguments.home)
    database = open_database(settings)
    if arguments.feed:
        import_feed(Catalogue(database, settings), arguments.feed, images=arguments.images)
    judged = read_judgments(arguments.qrels)
    rebuild(settings, database, RebuildOptions(model=arguments.model, fusion="average"))
    engine = SearchEngine(settings, database)
    alone = {mode: measure(engine, arguments.queries, judged, mode) for mode in PARTS_ALONE}
    best = {kind: max((alone[m][kind] for m in PARTS_ALONE), key=np.mean) for kind in alone["text"]}
    show_header(best)
    for mode in PARTS_ALONE:
        show(mode, alone[mode], best)
    if arguments.train:
        train_fusion(settings, database, FusionOptions(), lambda stage, done, total: None)
    for fusion in ("average", *(KINDS if arguments.train else ())):
        rebuild(settings, database, RebuildOptions(model=arguments.model, fusion=fusion))
        engine.refresh()
        for mode in ("fused", "hybrid"):
            show(f"{mode}, {fusion}", measure(engine, arguments.queries, judged, mode), best)
    database.close()


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feed", type=Path, help="import this first; else the home's catalogue is taken")
    parser.add_argument("--images", type=Path, help="where the feed's pictures are")
    parser.add_argument("--home", type=Path, default=Path("var-fusion"))
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--train", action="store_true", help="train concat and attention, and compare them too")
    return parser.parse_args()


def read_judgments(path: Path) -> dict[str, dict[str, int]]:
    """The grades by query and item."""
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for judgment in read_qrels(path):
        judged[judgment.query_id][judgment.doc_id] = judgment.relevance
    return judged


def measure(engine: SearchEngine, queries: Path, judged: dict[str, dict[str, int]], mode: str) -> Scores:
    """nDCG@10 of each query, by kind; a query that the mode cannot answer, as words cannot a picture, counts zero."""
    found: dict[str, list[float]] = defaultdict(list)
    for query_id, request in read_queries(queries, EvaluationOptions(mode=mode, depth=DEPTH)):
        if query_id in judged:
            can_answer = mode != "lexical" or request.text
            ranked = [hit.item_id for hit in engine.search(request).hits] if can_answer else []
            found[query_id.split("-")[0]].append(ndcg(ranked, judged[query_id]))
    return {kind: np.array(figures) for kind, figures in found.items()}


def ndcg(ranked: list[str], grades: dict[str, int]) -> float:
    """nDCG@10 with gains 2^grade - 1 (Burges et al. 2005, Learning to Rank using Gradient Descent)."""

    def discounted(of_ranks: list[int]) -> float:
        return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(of_ranks[:DEPTH]))

    ideal = discounted(sorted(grades.values(), reverse=True))
    return discounted([grades.get(item, 0) for item in ranked]) / ideal if ideal else 0.0


def show_header(best: Scores) -> None:
    print("| mode | " + " | ".join(f"{kind} ({len(figures)})" for kind, figures in best.items()) + " |")
    print("|---" * (len(best) + 1) + "|")


def show(name: str, figures: Scores, best: Scores) -> None:
    """One line of the table."""
    cells = []
    for kind, reached in figures.items():
        difference = reached - best[kind]
        p = float(ttest_rel(reached, best[kind]).pvalue) if difference.any() else 1.0
        cells.append(f"{reached.mean():.3f} ({difference.mean():+.3f}, p {p:.3f})")
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
