"""How well wrong pictures are noticed, and whether their items are still found by their words.

python benchmarks/conflicts.py --eval DIR --images DIR
DIR of --eval holds conflict.csv, conflict.ids, queries.jsonl and qrels.txt. The same queries are asked of the feed and
of the feed without the wrong pictures; a wrongly pictured item that is relevant (grade 3) at rank r gains 1/log2(1+r).
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
from homes import Shop, open_shop
from scipy.stats import wilcoxon

from magpie.indexer.fusion.modality_conflicts import load_conflicts

DEPTH = 100
MODES = ("hybrid", "fused")


def without_pictures(feed: Path, item_ids: set[str], target: Path) -> None:
    """Writes the feed without the pictures of these items."""
    with feed.open(encoding="utf-8") as stream, target.open("w", encoding="utf-8", newline="") as out:
        rows = list(csv.DictReader(stream))
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "image": "" if row["id"] in item_ids else row["image"]} for row in rows)


def gains(shop: Shop, asked: list[tuple[str, set[str]]], mode: str) -> np.ndarray:
    """(queries,) the mean gain of the wrongly pictured items that are relevant to each query."""
    found = []
    for text, wanted in asked:
        rank = {item_id: r for r, item_id in enumerate(shop.find(text, mode, DEPTH), 1)}
        found.append(np.mean([1 / np.log2(1 + rank[one]) if one in rank else 0.0 for one in wanted]))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    given = parser.parse_args()
    wrong = set((given.eval / "conflict.ids").read_text().split())
    relevant: dict[str, set[str]] = {}
    for line in (given.eval / "qrels.txt").open():
        query_id, _, item_id, grade = line.split()
        if grade == "3" and item_id in wrong:
            relevant.setdefault(query_id, set()).add(item_id)
    queries = [json.loads(line) for line in (given.eval / "queries.jsonl").open()]
    words = [query for query in queries if query["query_id"].startswith("text")]
    asked = [(query["text"], relevant[query["query_id"]]) for query in words if query["query_id"] in relevant]
    found: dict[str, dict[str, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        mended = Path(folder) / "mended.csv"
        without_pictures(given.eval / "conflict.csv", wrong, mended)
        for name, feed in (("wrong pictures", given.eval / "conflict.csv"), ("no pictures", mended)):
            with open_shop(feed, given.images) as shop:
                found[name] = {mode: gains(shop, asked, mode) for mode in MODES}
                if name == "wrong pictures":
                    flagged = [one["item_id"] for one in load_conflicts(shop.generation.folder)]
                    stated = shop.generation.manifest["conflicts"]["precision"]
    hits = len(wrong & set(flagged))
    print(f"{len(flagged)} flagged, precision stated {stated}, measured {hits / max(1, len(flagged)):.3f}", end="")
    print(f", recall {hits / len(wrong):.3f}; {len(asked)} queries have wrongly pictured relevant items")
    for mode in MODES:
        with_, without = found["wrong pictures"][mode], found["no pictures"][mode]
        p = wilcoxon(with_, without).pvalue if (with_ != without).any() else 1.0
        print(
            f"{mode}: mean gain {with_.mean():.4f} with their wrong pictures, {without.mean():.4f} without; p {p:.2g}"
        )


if __name__ == "__main__":
    main()
