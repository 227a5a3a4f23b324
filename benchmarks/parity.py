"""Whether items that lack a part are found as well as whole ones: their shares among hits and among relevant items.

python benchmarks/parity.py --eval DIR --images DIR
DIR of --eval holds partial.csv, queries.jsonl and qrels.txt; that of --images the pictures that the feed names.
A share among the relevant is the mean over the queries of words, of that kind's part of the items of grade 3.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from homes import open_shop

KINDS = ("whole", "text only", "picture only")
TOLERANCE = 0.2


def kinds_of_items(feed: Path) -> dict[str, int]:
    """Which of KINDS each item is, by id."""
    with feed.open(encoding="utf-8") as stream:
        return {row["id"]: 1 if not row["image"] else 0 if row["title"] else 2 for row in csv.DictReader(stream)}


def shares(item_ids: list[str], kinds: dict[str, int]) -> np.ndarray:
    """(3,) how much of these items each kind is."""
    return np.bincount([kinds[item_id] for item_id in item_ids], minlength=3) / max(1, len(item_ids))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    given = parser.parse_args()
    kinds = kinds_of_items(given.eval / "partial.csv")
    relevant: dict[str, list[str]] = defaultdict(list)
    for line in (given.eval / "qrels.txt").open():
        query_id, _, item_id, grade = line.split()
        if grade == "3":
            relevant[query_id].append(item_id)
    queries = [json.loads(line) for line in (given.eval / "queries.jsonl").open()]
    asked = [query for query in queries if query["query_id"].startswith("text") and relevant[query["query_id"]]]
    fair = np.mean([shares(relevant[query["query_id"]], kinds) for query in asked], axis=0)
    print(f"{len(asked)} queries\n{'':14}" + "".join(f"{kind:>20}" for kind in KINDS))
    print(f"{'relevant':14}" + "".join(f"{share:>20.3f}" for share in fair))
    with open_shop(given.eval / "partial.csv", given.images) as shop:
        for mode in ("hybrid", "fused"):
            found = np.mean([shares(shop.find(query["text"], mode), kinds) for query in asked], axis=0)
            cells = [f"{share:.3f} ({share / due - 1:+.0%})" for share, due in zip(found, fair, strict=True)]
            verdict = "fair" if (np.abs(found / fair - 1) <= TOLERANCE).all() else "not fair"
            print(f"{mode:14}" + "".join(f"{cell:>20}" for cell in cells) + f"  {verdict}", flush=True)


if __name__ == "__main__":
    main()
