"""Judges an encoder on held-out data: by pictures alone, by text alone, with synonyms and slips, on other catalogues.

python benchmarks/encoder_quality.py MODEL_DIR --data DIR --eval DIR [--bits 8] [--only fashion|speed]
DIR of --data holds the unzipped fashion, grocery and flipkart; that of --eval the folder fashion-dev.
With --bits the weights are first rounded to so many bits, with a scale for each output channel.
"""

import argparse
import csv
import json
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import open_clip
import torch
import train_magpie_mini
from PIL import Image

import magpie.indexer.encoder.torch_image_tower  # noqa: F401
from magpie.indexer.encoder_training.captions import misspell

SYNONYMS = {
    "sneakers": ["Casual Shoes", "Sports Shoes"], "trainers": ["Casual Shoes", "Sports Shoes"], "tee": ["Tshirts"],
    "purse": ["Handbags", "Wallets", "Clutches"], "rucksack": ["Backpacks", "Rucksacks"], "hoodie": ["Sweatshirts"],
    "wristwatch": ["Watches"], "denims": ["Jeans"], "shades": ["Sunglasses"], "jumper": ["Sweaters"],
    "high heels": ["Heels"], "joggers": ["Track Pants"], "necktie": ["Ties"], "perfume": ["Perfume and Body Mist"],
    "school bag": ["Backpacks"], "gown": ["Dresses"], "sari": ["Sarees"], "flip-flops": ["Flip Flops"],
}  # fmt: skip
COLOURS = {"crimson": "Red", "scarlet": "Red", "navy": "Navy Blue", "dark blue": "Navy Blue", "gray": "Grey",
           "violet": "Purple", "golden": "Gold", "chocolate": "Brown", "lilac": "Lavender", "fuchsia": "Magenta",
           "dark red": "Maroon"}  # fmt: skip
UNSEEN = {"kicks": ["Casual Shoes", "Sports Shoes"], "spectacles": ["Sunglasses"], "shoulder purse": ["Handbags"],
          "timepieces": ["Watches"], "footwear with laces": ["Casual Shoes", "Sports Shoes", "Formal Shoes"],
          "summer sandal for a lady": ["Sandals", "Heels", "Flats"], "leather strap watch for him": ["Watches"],
          "what a man wears to a wedding": ["Shirts", "Blazers", "Ties", "Trousers"],
          "something to carry books": ["Backpacks", "Laptop Bag"]}  # fmt: skip


class Model:
    def __init__(self, folder):
        name = f"local-dir:{Path(folder).resolve()}"
        self.net, self.prepare = open_clip.create_model_from_pretrained(name)
        self.net.eval()
        self.tok = open_clip.get_tokenizer(name, bpe_path=str(Path(folder).resolve() / "bpe.txt.gz"))
        means = Path(folder) / "magpie.json"
        self.means = json.loads(means.read_text())["means"] if means.exists() else None

    @torch.no_grad()
    def quantise(self, bits):
        """Rounds every matrix and kernel; what they then take in bytes, with their scales and the rest in fp16."""
        size = 0
        for weights in self.net.parameters():
            if weights.ndim < 2:
                size += 2 * weights.numel()
                continue
            rows = weights.reshape(len(weights), -1)
            scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-9) / (2 ** (bits - 1) - 1)
            weights.copy_(((rows / scale).round() * scale).reshape(weights.shape))
            size += weights.numel() * bits // 8 + 2 * len(weights)
        return size

    @torch.inference_mode()
    def texts(self, texts):
        parts = [self.net.encode_text(self.tok(texts[i : i + 256]), normalize=True) for i in range(0, len(texts), 256)]
        return torch.cat(parts).numpy()

    @torch.inference_mode()
    def pictures(self, paths):
        out = []
        for i in range(0, len(paths), 128):
            batch = torch.stack([self.prepare(Image.open(p).convert("RGB")) for p in paths[i : i + 128]])
            out.append(self.net.encode_image(batch.to(memory_format=torch.channels_last), normalize=True))
        return torch.cat(out).numpy()


def unit(v):
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def ndcg(scores, gains):
    """scores, gains (items,): nDCG@10 with gains 2^g - 1."""
    top = np.argsort(-scores, kind="stable")[:10]
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = np.sort(2.0**gains - 1)[::-1][:10]
    return float(
        ((2.0 ** gains[top] - 1) * discount[: len(top)]).sum() / max(1e-9, (ideal * discount[: len(ideal)]).sum())
    )


def read_eval(folder):
    """The dev items, the queries and each query's gains (items,) by query id."""
    items = list(csv.DictReader((folder / "rich.csv").open()))
    place = {row["id"]: k for k, row in enumerate(items)}
    gains = defaultdict(lambda: np.zeros(len(items)))
    for line in (folder / "qrels.txt").open():
        query, _, item, grade = line.split()
        gains[query][place[item]] = int(grade)
    queries = [json.loads(line) for line in (folder / "queries.jsonl").open()]
    return items, place, queries, gains


def mean_ndcg(scores, queries, gains):
    return float(np.mean([ndcg(row, gains[q["query_id"]]) for row, q in zip(scores, queries, strict=True)]))


def fashion(model, data, folder):
    items, place, queries, gains = read_eval(folder)
    by_kind = defaultdict(list)
    for query in queries:
        by_kind[query["query_id"].split("-")[0]].append(query)
    pictures = model.pictures([data / "fashion" / row["image"] for row in items])
    titles = model.texts([row["title"] for row in items])
    columns = ("gender", "category", "subcategory", "type", "colour", "season", "usage")
    full = model.texts([row["title"] + ". " + ", ".join(row[c] for c in columns if row[c]) for row in items])
    poor = model.texts([row["title"] or "item" for row in csv.DictReader((folder / "poor.csv").open())])
    rng = random.Random(1)
    asked = by_kind["text"]
    words = model.texts([q["text"] for q in asked])
    slips = model.texts([misspell(q["text"], rng) for q in asked])
    report = {
        "text, picture": mean_ndcg(words @ pictures.T, asked, gains),
        "text, title": mean_ndcg(words @ titles.T, asked, gains),
        "text, title+attributes": mean_ndcg(words @ full.T, asked, gains),
        "text, average of both": mean_ndcg(words @ unit(full + pictures).T, asked, gains),
        "text, poor title": mean_ndcg(words @ poor.T, asked, gains),
        "misspelt, picture": mean_ndcg(slips @ pictures.T, asked, gains),
        "misspelt, title+attributes": mean_ndcg(slips @ full.T, asked, gains),
    }
    report |= by_example(model, pictures, place, by_kind, gains)
    own = (titles * pictures).sum(1)[:, None]
    report["title to picture R@10"] = float(((titles @ pictures.T > own).sum(1) < 10).mean())
    return report | vocabulary(model, pictures, items)


def by_example(model, pictures, place, by_kind, gains):
    """More like this; this one but in red, by the sum of the vectors; this but not that, by their difference."""
    report = {}
    for kind in ("like", "composed"):
        at = np.array([place[q["like"]] for q in by_kind[kind]])
        change = model.texts([q["text"] for q in by_kind[kind]]) if kind == "composed" else 0
        for weight in (1.0, 1.5, 2.0) if kind == "composed" else (1.0,):
            scores = (pictures[at] + weight * change) @ pictures.T
            scores[np.arange(len(at)), at] = -9
            report[f"{kind} x{weight}"] = mean_ndcg(scores, by_kind[kind], gains)
    if model.means:
        centre, mean_query = np.array(model.means["image"]), np.array(model.means["query"])
        scores = (unit(pictures[at] - centre) + unit(change - mean_query)) @ unit(pictures - centre).T
        scores[np.arange(len(at)), at] = -9
        report["composed, centred"] = mean_ndcg(scores, by_kind["composed"], gains)
    words, without = (model.texts([q[name] for q in by_kind["not"]]) for name in ("text", "not"))
    for weight in (0.35, 0.6):
        report[f"not, -{weight}"] = mean_ndcg((words - weight * without) @ pictures.T, by_kind["not"], gains)
    return report


def vocabulary(model, pictures, items):
    """Shares of the first ten pictures that are of the kind or colour that a word means."""
    kinds, colours = np.array([row["type"] for row in items]), np.array([row["colour"] for row in items])
    report = {}
    for name, table in (("known synonyms P@10", SYNONYMS), ("unseen words P@10", UNSEEN)):
        top = np.argsort(-(model.texts(list(table)) @ pictures.T), 1)[:, :10]
        scores = {word: float(np.isin(kinds[row], table[word]).mean()) for word, row in zip(table, top, strict=True)}
        report[name], report[name + ", each"] = float(np.mean(list(scores.values()))), scores
    top = np.argsort(-(model.texts([f"{word} shirt" for word in COLOURS]) @ pictures.T), 1)[:, :10]
    scores = {word: float((colours[row] == COLOURS[word]).mean()) for word, row in zip(COLOURS, top, strict=True)}
    return report | {"colour synonyms P@10": float(np.mean(list(scores.values()))), "colour synonyms, each": scores}


def grocery(model, data):
    classes = list(csv.DictReader((data / "grocery" / "classes.csv").open()))
    rows = [r for r in csv.DictReader((data / "grocery" / "images.csv").open()) if r["split"] != "train"]
    pictures = model.pictures([data / "grocery" / r["image"] for r in rows])
    names = [(c["class"] + " " + c["coarse_class"]).replace("-", " ") for c in classes]
    best = (pictures @ model.texts(names).T).argmax(1)
    truth = np.array([int(r["class_id"]) for r in rows])
    coarse = np.array([int(c["coarse_id"]) for c in classes])
    return {
        "grocery class": float((best == truth).mean()),
        "grocery coarse": float((coarse[best] == coarse[truth]).mean()),
    }


def flipkart(model, data):
    folder = data / "flipkart"
    rows = [r for r in csv.DictReader((folder / "products.csv").open()) if (folder / "images" / r["image"]).exists()]
    pictures = model.pictures([data / "flipkart" / "images" / r["image"] for r in rows])
    titles = model.texts([r["product_name"] for r in rows])
    rank = (titles @ pictures.T > (titles * pictures).sum(1)[:, None]).sum(1)
    tops = np.array([r["product_category_tree"].split(">>")[0].strip('[" ') for r in rows])
    near = np.argsort(-(titles @ pictures.T), 1)[:, :10]
    return {
        "flipkart R@10": float((rank < 10).mean()),
        "flipkart same category P@10": float((tops[near] == tops[:, None]).mean()),
    }


def demo_shop(model):
    """The demo shop's items that were kept out of training, among themselves."""
    rows = [row for row in train_magpie_mini.read_demo(train_magpie_mini.DEMO) if row.split == "dev"]
    pictures = model.pictures([row.picture for row in rows])
    titles = model.texts([row.title for row in rows])
    kinds = sorted({row.attributes["kind"] for row in rows})
    asked = sorted({(row.attributes["colour"], row.attributes["kind"]) for row in rows})
    guessed = (pictures @ model.texts(kinds).T).argmax(1)
    scores = model.texts([" ".join(pair) for pair in asked]) @ pictures.T
    gains = [[_demo_grade(row.attributes, pair) for row in rows] for pair in asked]
    return {
        "demo, unseen items": len(rows),
        "demo, title to picture R@10": float(
            ((titles @ pictures.T > (titles * pictures).sum(1)[:, None]).sum(1) < 10).mean()
        ),
        "demo, kind of 60": float(
            np.mean([kinds[k] == row.attributes["kind"] for k, row in zip(guessed, rows, strict=True)])
        ),
        "demo, colour kind, picture": float(
            np.mean([ndcg(row, np.array(g)) for row, g in zip(scores, gains, strict=True)])
        ),
    }


def _demo_grade(attributes, pair):
    colour, kind = pair
    return 0 if attributes["kind"] != kind else 3 if attributes["colour"] == colour else 1


def speed(model):
    torch.set_num_threads(1)
    h, w = model.net.visual.image_size
    x = torch.randn(64, 3, h, w).to(memory_format=torch.channels_last)
    words = ["navy blue men's shirt"]
    out = {}
    with torch.inference_mode():
        tokens = model.tok(["Titan Women Silver Watch. Women, Accessories, Watches"] * 64)

        def pictures_bf16():
            with torch.autocast("cpu", torch.bfloat16):
                model.net.encode_image(x)

        timed = (
            ("pictures/s fp32, batch 64", lambda: model.net.encode_image(x), 64),
            ("pictures/s bf16, batch 64", pictures_bf16, 64),
            ("texts/s, batch 64", lambda: model.net.encode_text(tokens), 64),
            ("queries/s, one at a time", lambda: model.net.encode_text(model.tok(words)), 1),
        )
        for name, call, number in timed:
            call()
            best = 9.0
            for _ in range(12):
                started = time.perf_counter()
                call()
                best = min(best, time.perf_counter() - started)
            out[name] = round(number / best)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--bits", type=int)
    parser.add_argument("--only", choices=("fashion", "speed"))
    a = parser.parse_args()
    model = Model(a.model)
    report = {"bytes": model.quantise(a.bits)} if a.bits else {}
    if a.only != "speed":
        report |= fashion(model, a.data, a.eval / "fashion-dev")
    if a.only is None:
        report |= grocery(model, a.data) | flipkart(model, a.data) | demo_shop(model)
    if a.only != "fashion":
        report |= speed(model)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
