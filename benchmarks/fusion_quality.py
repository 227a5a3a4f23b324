"""How well each part alone, the three fusions and the hybrid ranking find, by kind of query, with paired tests.

    python benchmarks/fusion_quality.py --feed catalog.csv --images DIR --queries Q.jsonl --qrels qrels.txt --train

Imports the feed into a home of its own or takes a ready one, and prints nDCG@10 (gains 2^grade - 1) for every kind of
query, which is what the query's id begins with; "picture" are the "like" queries asked with the example's own picture
as an upload. With --train, `concat` and `attention` are trained, judged by the gate, and measured whether or not they
pass. Behind each figure stand its difference from the best single part (for the learned fusions: from the average),
the bound above which that difference lies with 95 % (one-sided), and the p value of a paired t-test.
What was measured is kept in the home (fusion_quality*.jsonl), so a run that was stopped goes on where it was.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as students_t
from scipy.stats import ttest_rel

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import Database, open_database
from magpie.data.errors import BadInput
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings
from magpie.indexer.fusion.learned_fusion import KINDS
from magpie.indexer.fusion_training.train_fusion import FusionOptions, train_fusion
from magpie.indexer.rebuild import RebuildOptions, rebuild
from magpie.search.engine import SearchEngine
from magpie.search.evaluation.evaluate import EvaluationOptions, read_qrels, read_queries
from magpie.search.request import SearchRequest

PARTS_ALONE = ("text", "image", "lexical")
MODES = ("fused", "hybrid")
DEPTH = 10
DEEP = 1000  # of a ranking out of which other items are dropped

Scores = dict[str, float]  # nDCG@10 by query


@dataclass(frozen=True)
class Judged:
    """Grades by query and item; where `only` is given, other items count neither among answers nor judgments."""

    grades: dict[str, dict[str, int]]
    only: frozenset[str] | None

    @classmethod
    def read(cls, qrels: Path, only: Path | None) -> "Judged":
        kept = frozenset(only.read_text(encoding="utf-8").split()) if only else None
        grades: dict[str, dict[str, int]] = defaultdict(dict)
        for judgment in read_qrels(qrels):
            if judgment.relevance and (kept is None or judgment.doc_id in kept):
                grades[judgment.query_id][judgment.doc_id] = judgment.relevance
        return cls(dict(grades), kept)


@dataclass(frozen=True)
class Store:
    """What was measured before, by name; one JSON line each."""

    path: Path

    def read(self) -> dict[str, Any]:
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        return {one["name"]: one["found"] for one in map(json.loads, lines)}

    def add(self, name: str, found: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "found": found}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feed", type=Path, help="import this first; else the home's catalogue is taken")
    parser.add_argument("--images", type=Path, help="where the feed's pictures are")
    parser.add_argument("--home", type=Path, default=Path("var-fusion"))
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, required=True)
    parser.add_argument("--only", type=Path, help="a file of item ids; all others are dropped from the answers")
    parser.add_argument("--model")
    parser.add_argument("--train", action="store_true", help="train concat and attention, and compare them too")
    parser.add_argument("--seed", type=int, default=0, help="of that training")
    compare(parser.parse_args())


def compare(given: argparse.Namespace) -> None:
    """Measures what was not measured yet, and prints it all."""
    settings = Settings(home=given.home)
    database = open_database(settings)
    if given.feed:
        import_feed(Catalogue(database, settings), given.feed, images=given.images)
    store = Store(given.home / f"fusion_quality{'-' + given.only.stem if given.only else ''}.jsonl")
    for fusion in ("average", *(KINDS if given.train else ())):
        modes = (*PARTS_ALONE, *MODES) if fusion == "average" else MODES
        missing = [mode for mode in modes if row_name(mode, fusion) not in store.read()]
        if not missing:
            continue
        try:
            measure_fusion(settings, database, given, store, (fusion, missing))
        except BadInput as error:  # too few words to train on
            print(f"gate: nothing was trained. {error}")
            break
    database.close()
    found = store.read()
    print_table(found)
    for kind, judged in found.get("gate", {}).get("judgements", {}).items():
        print(f"gate, {kind}: {'passed' if judged['passed'] else 'refused'}, {json.dumps(judged)}")


def row_name(mode: str, fusion: str) -> str:
    return mode if mode in PARTS_ALONE else f"{mode}, {fusion}"


def measure_fusion(
    settings: Settings, database: Database, given: argparse.Namespace, store: Store, wanted: tuple[str, list[str]]
) -> None:
    """Indexes with a fusion, training it first where it needs that, and measures these modes."""
    fusion, modes = wanted
    if fusion in KINDS and "gate" not in store.read():
        trained = train_fusion(settings, database, FusionOptions(seed=given.seed), lambda stage, done, total: None)
        store.add("gate", asdict(trained) | {"seed": given.seed})
    rebuild(settings, database, RebuildOptions(model=given.model, fusion=fusion))
    engine = SearchEngine(settings, database)
    judged = Judged.read(given.qrels, given.only)
    for mode in modes:
        requests = read_requests(Catalogue(database, settings), given.queries, mode)
        store.add(row_name(mode, fusion), dict(measure(engine, requests, judged)))


def read_requests(catalogue: Catalogue, queries: Path, mode: str) -> Iterator[tuple[str, str, SearchRequest]]:
    """Each query's id, the id by which it is judged, and the request; those of pictures after those that they copy."""
    for query_id, request in read_queries(queries, EvaluationOptions(mode=mode, depth=DEPTH)):
        yield query_id, query_id, request
        if request.like and not request.text:
            sound = [picture for picture in catalogue.get(request.like).pictures if picture.status == "ok"]
            if sound:
                uploaded = replace(request, picture=sound[0].path.read_bytes(), like=None)
                yield query_id.replace("like", "picture"), query_id, uploaded


def measure(
    engine: SearchEngine, requests: Iterator[tuple[str, str, SearchRequest]], judged: Judged
) -> Iterator[tuple[str, float]]:
    """nDCG@10 by query; of one that the mode cannot answer, as words cannot a picture, it is zero.

    The item whose picture is uploaded is no answer, as it is none to "like" it.
    """
    example = ""
    for query_id, judged_as, request in requests:
        grades = judged.grades.get(judged_as)
        if grades is None:
            continue
        example = request.like or example
        depth = DEPTH + 1 if judged.only is None else DEEP
        can_answer = request.mode != "lexical" or request.text
        hits = engine.search(replace(request, k=depth)).hits if can_answer else []
        others = [hit.item_id for hit in hits if not (request.picture and hit.item_id == example)]
        yield query_id, ndcg([one for one in others if judged.only is None or one in judged.only], grades)


def ndcg(ranked: list[str], grades: dict[str, int]) -> float:
    """nDCG@10 with gains 2^grade - 1 (Burges et al. 2005, Learning to Rank using Gradient Descent)."""

    def discounted(of_ranks: list[int]) -> float:
        return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(of_ranks[:DEPTH]))

    ideal = discounted(sorted(grades.values(), reverse=True))
    return discounted([grades.get(item, 0) for item in ranked]) / ideal if ideal else 0.0


def print_table(found: dict[str, Any]) -> None:
    """A line for each part, fusion and mode, a column for each kind of query."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for query_id in found["text"]:
        kinds[query_id.split("-")[0]].append(query_id)
    rows = {
        name: {kind: np.array([scores[one] for one in ids]) for kind, ids in kinds.items()}
        for name, scores in found.items()
        if name != "gate"
    }
    best = {kind: max((rows[part][kind] for part in PARTS_ALONE), key=np.mean) for kind in kinds}
    print("| | " + " | ".join(f"{kind} ({len(ids)})" for kind, ids in kinds.items()) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    for name, figures in rows.items():
        mode, _, fusion = name.partition(", ")
        to_beat = best if fusion in ("", "average") else rows[f"{mode}, average"]
        cells = [describe(figures[kind], None if not fusion else to_beat[kind]) for kind in kinds]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def describe(reached: np.ndarray, to_beat: np.ndarray | None) -> str:
    """The mean of (n,) figures, and how they compare."""
    if to_beat is None:
        return f"{reached.mean():.3f}"
    difference = reached - to_beat
    if not difference.any():
        return f"{reached.mean():.3f} (0)"
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    bound = difference.mean() - students_t.ppf(0.95, len(difference) - 1) * error
    p = float(ttest_rel(reached, to_beat).pvalue)
    return f"{reached.mean():.3f} ({difference.mean():+.3f}, over {bound:+.3f}, p {p:.3f})"


if __name__ == "__main__":
    main()
