"""Trains the shipped encoder: fashion (train split), grocery, clothing and the demo catalogue, as docs/encoder.md says.

python benchmarks/train_magpie_mini.py --data DIR --out DIR [--init DIR] [--seed N] (--minutes M | --steps N)
DIR holds the unzipped folders fashion, grocery and clothing.
"""

import argparse
import csv
import json
import time
from pathlib import Path

from magpie.indexer.encoder_training.train_encoder import Progress, Shape, TrainingItem, TrainingOptions, train_encoder

DEMO = Path(__file__).parent.parent / "data" / "demo"
SHOP = ("gender", "category", "subcategory", "type", "colour", "season", "usage")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_fashion(folder: Path) -> list[TrainingItem]:
    return [
        TrainingItem(
            row["id"], row["title"], folder / row["image"], attributes={name: row[name] for name in SHOP},
            split="dev" if row["split"] == "dev" else "train",
        )
        for row in rows_of(folder / "catalog.csv")
    ]  # fmt: skip


def read_grocery(folder: Path) -> list[TrainingItem]:
    classes = {row["class_id"]: row for row in rows_of(folder / "classes.csv")}
    items = []
    for row in rows_of(folder / "images.csv"):
        label = classes[row["class_id"]]
        name, kind = label["class"].replace("-", " "), label["coarse_class"].replace("-", " ")
        title = name if kind.lower() in name.lower() else f"{name} {kind}"
        split = "train" if row["split"] == "train" else "dev"
        attributes = {"type": kind, "variety": name}
        items.append(
            TrainingItem(row["image"], title, folder / row["image"], label["description"], "", attributes, split)
        )
    return items


def read_clothing(folder: Path) -> list[TrainingItem]:
    items = []
    for number, row in enumerate(rows_of(folder / "images.csv")):
        kids = row["kids"] == "True"
        attributes = {"type": row["label"]} | ({"gender": "Kids"} if kids else {})
        title = f"Kids {row['label']}" if kids else row["label"]
        split = "dev" if number % 20 == 3 else "train"
        items.append(TrainingItem(row["image"], title, folder / row["image"], attributes=attributes, split=split))
    return items


def read_demo(folder: Path) -> list[TrainingItem]:
    """The demo shop's items without its planted faults; ids that end in 3 judge, as in fashion."""
    faults = json.loads((folder / "faults.json").read_text(encoding="utf-8"))
    wrong = {item_id for name in ("wrong_colour", "wrong_picture", "no_picture") for item_id in faults[name]}
    names = ("kind", "material", "colour", "pattern", "style")
    items = []
    for row in rows_of(folder / "catalog.csv"):
        picture = folder / row["image"]
        if row["id"] in wrong or not row["image"] or not picture.is_file():
            continue
        attributes = {name: row[name] for name in names}
        split = "dev" if row["id"].endswith("3") else "train"
        items.append(
            TrainingItem(row["id"], row["title"], picture, row["description"], row["category"], attributes, split)
        )
    return items


def report(progress: Progress) -> None:
    parts = " ".join(f"{name} {loss:.3f}" for name, loss in progress.losses.items())
    line = (
        f"{time.strftime('%H:%M:%S')} step {progress.step} {progress.fraction:.1%} loss {progress.loss:.3f} ({parts})"
    )
    line += f" {progress.pictures_per_s:.0f}/s"
    if progress.validation:
        line += f"  R@10 {progress.validation.recall_at_10:.3f} nDCG@10 {progress.validation.ndcg_at_10:.3f}"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small-until", type=float, default=0.35)
    parser.add_argument("--own-shape", action="store_true", help="tower, size and vocabulary as in --init")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--device", default="auto")
    a = parser.parse_args()
    sources = [
        read_fashion(a.data / "fashion"),
        read_grocery(a.data / "grocery"),
        read_clothing(a.data / "clothing"),
        read_demo(DEMO),
    ]
    shape = Shape() if a.own_shape else Shape("magpie_resnet_1231", (80, 64), 6144, 32, 2)
    options = TrainingOptions(
        out=a.out, init=a.init, seed=a.seed, steps=a.steps, minutes=a.minutes, batch=a.batch, learning_rate=a.lr,
        shape=shape, small_until=a.small_until, work=a.work, device=a.device,
    )  # fmt: skip
    print(json.dumps(train_encoder(sources, options, report), default=str))


if __name__ == "__main__":
    main()
