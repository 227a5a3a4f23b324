"""Photographs of a supermarket's shelves: each part alone, the fusions and the hybrid ranking, with paired tests.

python benchmarks/grocery.py GROCERY_DIR [--home DIR] [--words none|half|all] [--train]
GROCERY_DIR holds classes.csv and images.csv; the items are the photographs that are not of split train. By chance half
of them (or as --words says) carry what the shop says of their class: its description, and no name or title; of the
wordless, some thus have no text at all and must be found by their looks. Asked are the names of the classes, and
each photograph ("like", and as an upload). The same class has grade 2, the same coarse class ("Apple") grade 1.
"""

import argparse
import csv
import json
import random
from pathlib import Path

from fusion_quality import compare

SHARES = {"none": 0.0, "half": 0.5, "all": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home", type=Path, default=Path("var-grocery"))
    parser.add_argument("--words", choices=SHARES, default="half")
    parser.add_argument("--train", action="store_true", help="train concat and attention, and compare them too")
    given = parser.parse_args()
    photographs = [row for row in read_rows(given.folder / "images.csv") if row["split"] != "train"]
    classes = {row["class_id"]: row for row in read_rows(given.folder / "classes.csv")}
    given.home.mkdir(parents=True, exist_ok=True)
    feed, queries, qrels = (given.home / name for name in ("feed.csv", "queries.jsonl", "qrels.txt"))
    write_feed(feed, photographs, classes, SHARES[given.words])
    write_queries(queries, qrels, photographs, classes)
    wanted = {"feed": feed, "images": given.folder, "home": given.home, "queries": queries, "qrels": qrels}
    compare(argparse.Namespace(**wanted, only=None, model=None, train=given.train, seed=0))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write_feed(path: Path, photographs: list[dict[str, str]], classes: dict[str, dict[str, str]], share: float) -> None:
    """The photographs as items, this share of them with their class's description."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "description", "image"])
        for row in photographs:
            told = classes[row["class_id"]]["description"] if chance.random() < share else ""
            writer.writerow([row["image"], told, row["image"]])


def write_queries(
    queries: Path, qrels: Path, photographs: list[dict[str, str]], classes: dict[str, dict[str, str]]
) -> None:
    """Names of classes that some photograph shows, and every photograph with another of its coarse class."""
    asked = [("text", one, one["class"].replace("-", " "), "") for one in classes.values()]
    asked += [("like", row, "", row["image"]) for row in photographs]
    with queries.open("w", encoding="utf-8") as stream, qrels.open("w", encoding="utf-8") as judgments:
        for number, (kind, wanted, text, liked) in enumerate(asked):
            grades = {
                row["image"]: 2 if row["class_id"] == wanted["class_id"] else 1
                for row in photographs
                if row["coarse_id"] == wanted["coarse_id"] and row["image"] != liked
            }
            if grades and (liked or 2 in grades.values()):
                query = {"query_id": f"{kind}-{number}"} | ({"like": liked} if liked else {"text": text})
                stream.write(json.dumps(query) + "\n")
                judgments.writelines(f"{kind}-{number} 0 {item} {grade}\n" for item, grade in grades.items())


if __name__ == "__main__":
    main()
