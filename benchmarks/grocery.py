"""Photographs of a supermarket's shelves, found by the names of things and by another photograph.

python benchmarks/grocery.py GROCERY_DIR
GROCERY_DIR holds classes.csv and images.csv; the items are the photographs that are not of split train, without any
text. Another photograph of the same class has grade 2, of the same coarse class ("Apple") grade 1; gain 2^g - 1.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
from homes import open_shop

from search.request import SearchRequest


def ndcg_at_10(found: list[str], grades: dict[str, int]) -> float:
    """nDCG@10 of the found ids; ids without a grade gain nothing."""
    discounts = 1 / np.log2(np.arange(2, 12))
    gains = np.array([2.0 ** grades.get(one, 0) - 1 for one in found[:10]])
    ideal = np.sort([2.0**grade - 1 for grade in grades.values()])[::-1][:10]
    return float((gains * discounts[: len(gains)]).sum() / (ideal * discounts[: len(ideal)]).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with (folder / "images.csv").open(encoding="utf-8") as stream:
        photographs = [row for row in csv.DictReader(stream) if row["split"] != "train"]
    with (folder / "classes.csv").open(encoding="utf-8") as stream:
        classes = list(csv.DictReader(stream))

    def grades_for(wanted: dict[str, str], without: str = "") -> dict[str, int]:
        return {
            row["image"]: 2 if row["class_id"] == wanted["class_id"] else 1
            for row in photographs
            if row["coarse_id"] == wanted["coarse_id"] and row["image"] != without
        }

    with tempfile.TemporaryDirectory() as scratch:
        feed = Path(scratch) / "feed.csv"
        feed.write_text("id,image\n" + "".join(f"{row['image']},{row['image']}\n" for row in photographs))
        with open_shop(feed, folder) as shop:

            def ask(**wanted: str) -> list[str]:
                request = SearchRequest(k=10, rerank=False, facets=False, **wanted)
                return [hit.item_id for hit in shop.engine.search(request).hits]

            by_words = []
            for one in classes:
                grades = grades_for(one)
                if 2 in grades.values():
                    by_words.append(ndcg_at_10(ask(text=one["class"].replace("-", " ")), grades))
            by_picture = []
            for liked in photographs:
                grades = grades_for(liked, without=liked["image"])
                if grades:
                    by_picture.append(ndcg_at_10(ask(like=liked["image"]), grades))
    print(f"{len(photographs)} photographs; by {len(by_words)} names nDCG@10 {np.mean(by_words):.4f}", end="")
    print(f", by {len(by_picture)} photographs {np.mean(by_picture):.4f}")


if __name__ == "__main__":
    main()
