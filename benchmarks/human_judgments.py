"""Does the mixture of words and vectors rank as people judge, better than BM25 does? With paired significance tests.

python benchmarks/human_judgments.py CROWDFLOWER_ZIP
Every query's judged products (median relevance 1 to 4 of several people) are ranked among themselves; gain 2^g - 1
with g from 0 to 3. "bm25" is tantivy's own score over the product's stemmed words, title twice; the others are the
modes of `magpie search`. Queries whose products were all judged alike are left out: any order is right there.
"""

import argparse
import csv
import io
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import tantivy
from homes import Shop, open_shop
from scipy.stats import ttest_rel, wilcoxon

MODES = ("hybrid", "lexical", "fused")
DEPTH = 1000


def read_judgments(path: Path) -> list[dict[str, str]]:
    """The rows of the archive's train.csv."""
    with zipfile.ZipFile(path).open("train.csv") as stream:
        return list(csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8", errors="replace")))


def write_feed(rows: list[dict[str, str]], path: Path) -> None:
    """Each judged product as an item of its own."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "title", "description"])
        writer.writerows(
            [row["id"], row["product_title"], row["product_description"].replace("\0", "")] for row in rows
        )


def rank_by_bm25(rows: list[dict[str, str]], queries: dict[str, list[str]]) -> dict[str, list[str]]:
    """By query the judged products, best first, by BM25 over all products."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    for name in ("title", "body"):
        builder.add_text_field(name, tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(num_threads=1)
    for row in rows:
        writer.add_document(tantivy.Document(id=row["id"], title=row["product_title"], body=row["product_description"]))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher, ranked = index.searcher(), {}
    for text, judged in queries.items():
        words = "".join(c if c.isalnum() else " " for c in text)
        query = index.parse_query(words, ["title", "body"], field_boosts={"title": 2.0})
        found = [searcher.doc(place)["id"][0] for _, place in searcher.search(query, len(rows)).hits]
        ranked[text] = complete([one for one in found if one in set(judged)], judged)
    return ranked


def rank_by_magpie(shop: Shop, queries: dict[str, list[str]], mode: str) -> dict[str, list[str]]:
    """By query the judged products, best first, out of the first thousand hits; the rest in the feed's order."""
    ranked = {}
    for text, judged in queries.items():
        wanted = set(judged)
        ranked[text] = complete([one for one in shop.find(text, mode, DEPTH) if one in wanted], judged)
    return ranked


def complete(found: list[str], judged: list[str]) -> list[str]:
    """What was found, and then what was not."""
    return found + [one for one in judged if one not in set(found)]


def ndcg_at_10(ranked: list[str], grades: dict[str, int]) -> float:
    """nDCG@10 with gain 2^g - 1 (Burges et al. 2005)."""
    gains = np.array([2.0 ** grades[one] - 1 for one in ranked])
    discounts = 1 / np.log2(np.arange(2, 12))[: len(gains)]
    return float((gains[:10] * discounts).sum() / (np.sort(gains)[::-1][:10] * discounts).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    rows = read_judgments(parser.parse_args().archive)
    grades = {row["id"]: int(row["median_relevance"]) - 1 for row in rows}
    queries: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        queries[row["query"]].append(row["id"])
    queries = {text: judged for text, judged in queries.items() if len({grades[one] for one in judged}) > 1}
    rankings = {"bm25": rank_by_bm25(rows, queries)}
    with tempfile.TemporaryDirectory() as folder:
        feed = Path(folder) / "products.csv"
        write_feed(rows, feed)
        with open_shop(feed, Path(folder)) as shop:
            for mode in MODES:
                rankings[mode] = rank_by_magpie(shop, queries, mode)
    scores = {
        name: np.array([ndcg_at_10(ranked[text], grades) for text in queries]) for name, ranked in rankings.items()
    }
    print(f"{len(rows):,} judgments, {len(queries)} queries")
    for name, values in scores.items():
        line = f"{name:8} nDCG@10 {values.mean():.4f}"
        if name != "bm25":
            difference = values - scores["bm25"]
            line += f"  {difference.mean():+.4f} against bm25, better on {(difference > 1e-9).sum()}"
            line += f", worse on {(difference < -1e-9).sum()}; t-test p {ttest_rel(values, scores['bm25']).pvalue:.2g}"
            line += f", Wilcoxon p {wilcoxon(values, scores['bm25']).pvalue:.2g}"
        print(line)


if __name__ == "__main__":
    main()
