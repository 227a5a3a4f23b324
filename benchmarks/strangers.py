"""How well does search find in catalogues that nobody tuned it for? Against a plain BM25 and an afternoon's glue.

python benchmarks/strangers.py SOURCE…
A SOURCE is a folder with `catalog.csv`, `queries.jsonl`, `qrels.txt` and perhaps its pictures, as `magpie evaluate`
takes them; or one of the archives that are known by name: crowdflower.zip (judgments of people: a query's judged
products are ranked among themselves), general.zip (pictures with a name and keywords, or with a label only),
flipkart.zip (a messy feed; the kind of thing is the query).
"bm25" is bm25s (Lù 2024) with an English stemmer over title and description. "glue" is what an engineer joins in an
afternoon: that BM25, and cosines of the encoder's vectors (of the query with the texts, and with the pictures), by
reciprocal rank fusion with k = 60 (Cormack et al. 2009). The others are modes of `magpie search`. Every line tells
nDCG@10 over the queries of a kind, and how each mode differs from words alone, with a paired t-test.
"""

import argparse
import csv
import io
import json
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
from homes import Shop, open_shop
from scipy.stats import ttest_rel

MODES = ("hybrid", "lexical", "fused", "text", "image")
COMPANY = ("cheap {}", "I am looking for a {}", "{} for a wedding gift")
DEPTH, FUSED_DEPTH, RRF_K = 1000, 200, 60
Ranking = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Catalogue:
    """A feed with judged queries. `grades` are by query id and item id; a query's kind is what its id begins with.

    `is_condensed`: only judged items are ranked, because the others were not looked at.
    """

    name: str
    rows: Sequence[Mapping[str, str]]
    queries: Mapping[str, str]
    grades: Mapping[str, Mapping[str, int]]
    images: Path | None = None
    is_condensed: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)


def read_folder(folder: Path) -> Catalogue:
    """A catalogue in the form that `magpie evaluate` takes."""
    asked = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels.txt").read_text(encoding="utf-8").splitlines():
        query, _, item, grade = line.split()
        grades[query][item] = int(grade)
    only_words = {q["query_id"]: q["text"] for q in asked if q.get("text") and not {"image", "like", "not"} & set(q)}
    rows = list(csv.DictReader((folder / "catalog.csv").open(encoding="utf-8", newline="")))
    return Catalogue(folder.name, rows, {q: t for q, t in only_words.items() if grades[q]}, grades, folder)


def read_crowdflower(archive: Path, _: Path) -> Iterator[Catalogue]:
    """People's judgments of products for queries to shops, 0 to 3; queries judged alike throughout are left out."""
    rows = _table(archive, "train.csv")
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        grades[row["query"]][row["id"]] = int(row["median_relevance"]) - 1
    judged = {query: of for query, of in sorted(grades.items()) if len(set(of.values())) > 1}
    feed = [
        {"id": r["id"], "title": r["product_title"], "description": r["product_description"].replace("\0", "")}
        for r in rows
    ]
    queries = {f"judged-{n}": query for n, query in enumerate(judged)}
    yield Catalogue("crowdflower", feed, queries, {q: judged[text] for q, text in queries.items()}, is_condensed=True)


def read_general(archive: Path, folder: Path) -> Iterator[Catalogue]:
    """Pictures with a name, searched by their keywords; pictures without words, searched by their label."""
    zipfile.ZipFile(archive).extractall(folder)
    rows = [row for row in _table(archive, "catalog.csv") if row["split"] == "dev"]
    named = [row for row in rows if row["title"] and row["source"] in ("notoemoji", "recipes")]
    feed = [{"id": r["id"], "title": r["title"], "image": r["image"]} for r in named]
    keywords = {r["id"]: r["caption"].removeprefix(r["title"]).strip(":, ")[:200] for r in named}
    queries = {f"keywords-{item}": words for item, words in keywords.items() if words}
    yield Catalogue("names", feed, queries, {q: {q.removeprefix("keywords-"): 1} for q in queries}, folder)
    labelled = [row for row in rows if row["labels"] and row["source"] in ("caltech101", "ingredients", "tfflowers")]
    by_label: dict[str, dict[str, int]] = defaultdict(dict)
    for row in labelled:
        by_label[row["labels"]][row["id"]] = 1
    queries = {f"label-{n}": label for n, label in enumerate(by_label)}
    grades = {q: by_label[label] for q, label in queries.items()}
    yield Catalogue("pictures", [{"id": r["id"], "image": r["image"]} for r in labelled], queries, grades, folder)


def read_flipkart(archive: Path, folder: Path) -> Iterator[Catalogue]:
    """A messy feed; a query is the name of a category that has three items, and they answer it."""
    zipfile.ZipFile(archive).extractall(folder)
    rows = _table(archive, "products.csv")
    by_kind: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        path = row["product_category_tree"].strip('[]"').split(" >> ")
        for level in path[1:3]:
            by_kind[level][row["uniq_id"]] = 1
    kinds = [kind for kind, items in sorted(by_kind.items()) if 3 <= len(items) <= 100]
    feed = [
        {"id": r["uniq_id"], "title": r["product_name"], "description": r["description"], "image": r["image"]}
        for r in rows
    ]
    queries = {f"kind-{n}": kind for n, kind in enumerate(kinds)}
    yield Catalogue("flipkart", feed, queries, {q: by_kind[kind] for q, kind in queries.items()}, folder / "images")


ARCHIVES = {"crowdflower": read_crowdflower, "general": read_general, "flipkart": read_flipkart}


def _table(archive: Path, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(archive).open(name) as stream:
        return list(csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8", errors="replace")))


def with_company(catalogue: Catalogue) -> Catalogue:
    """The same with harmless words beside every third query."""
    asked, grades = dict(catalogue.queries), dict(catalogue.grades)
    for query, text in list(catalogue.queries.items())[::3]:
        for n, company in enumerate(COMPANY):
            asked[f"company {query}-{n}"], grades[f"company {query}-{n}"] = company.format(text), grades[query]
    return Catalogue(
        catalogue.name, catalogue.rows, asked, grades, catalogue.images, catalogue.is_condensed, catalogue.mapping
    )


def bm25_of(rows: Sequence[Mapping[str, str]]) -> Ranking:
    """Ranks by BM25 (k1 1.2, b .75) over title and description; items without any word of the query are left out."""
    stemmer = Stemmer.Stemmer("english")
    ids = np.array([row["id"] for row in rows])
    index = bm25s.BM25(k1=1.2, b=0.75)
    texts = [f"{row.get('title', '')} {row.get('description', '')}" for row in rows]
    if not any(text.strip() for text in texts):
        return lambda text: []
    index.index(bm25s.tokenize(texts, stemmer=stemmer, show_progress=False), show_progress=False)

    def rank(text: str) -> list[str]:
        words = bm25s.tokenize(text, stemmer=stemmer, return_ids=False, show_progress=False)[0]
        known = [word for word in words if word in index.vocab_dict]
        scores = index.get_scores(known) if known else np.zeros(len(ids))
        order = np.argsort(-scores, kind="stable")[: np.count_nonzero(scores > 0)]
        return [str(one) for one in ids[order[:DEPTH]]]

    return rank


def glue_of(shop: Shop, bm25: Ranking) -> Ranking:
    """Reciprocal rank fusion of BM25 with the encoder's vectors of texts and of pictures."""

    def rank(text: str) -> list[str]:
        places: dict[str, float] = defaultdict(float)
        for ranked in (bm25(text), shop.find(text, "text", FUSED_DEPTH), shop.find(text, "image", FUSED_DEPTH)):
            for place, item in enumerate(ranked[:FUSED_DEPTH], 1):
                places[item] += 1 / (RRF_K + place)
        return sorted(places, key=lambda item: -places[item])

    return rank


def ndcg_at_10(ranked: Sequence[str], grades: Mapping[str, int], is_condensed: bool) -> float:
    """nDCG@10 with gain 2^g - 1 (Burges et al. 2005)."""
    if is_condensed:
        ranked = [item for item in ranked if item in grades]
        ranked = [*ranked, *(item for item in grades if item not in set(ranked))]
    gains = [2.0 ** grades.get(item, 0) - 1 for item in ranked[:10]]
    best = sorted((2.0**grade - 1 for grade in grades.values()), reverse=True)[:10]
    discounts = 1 / np.log2(np.arange(2, 12))
    return float(gains @ discounts[: len(gains)]) / float(best @ discounts[: len(best)])


def measure(catalogue: Catalogue, shop: Shop) -> None:
    """Prints a line for each kind of query and ranking."""
    bm25 = bm25_of(catalogue.rows)
    rankings: dict[str, Ranking] = {"bm25": bm25, "glue": glue_of(shop, bm25)}
    depth = DEPTH if catalogue.is_condensed else 10
    rankings |= {mode: lambda text, mode=mode: shop.find(text, mode, depth) for mode in MODES}
    kinds: dict[str, list[str]] = defaultdict(list)
    for query in catalogue.queries:
        kinds[query.split("-")[0]].append(query)
    for kind, queries in kinds.items():
        found = {
            name: np.array(
                [ndcg_at_10(rank(catalogue.queries[q]), catalogue.grades[q], catalogue.is_condensed) for q in queries]
            )
            for name, rank in rankings.items()
        }
        print(f"{catalogue.name}, {kind}: {len(queries)} queries")
        for name, values in found.items():
            difference = values - found["lexical"]
            p = ttest_rel(values, found["lexical"]).pvalue if np.any(difference) else 1.0
            print(f"  {name:8} nDCG@10 {values.mean():.3f}  {difference.mean():+.3f} against lexical, p {p:.2g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    for source in parser.parse_args().sources:
        with tempfile.TemporaryDirectory() as folder:
            is_folder = source.is_dir()
            found = [read_folder(source)] if is_folder else ARCHIVES[source.stem](source, Path(folder))
            for catalogue in map(with_company, found):
                feed = Path(folder) / f"{catalogue.name}-feed.csv"
                with feed.open("w", encoding="utf-8", newline="") as stream:
                    writer = csv.DictWriter(stream, list(catalogue.rows[0]))
                    writer.writeheader()
                    writer.writerows(catalogue.rows)
                with open_shop(feed, catalogue.images or Path(folder), catalogue.mapping) as shop:
                    measure(catalogue, shop)


if __name__ == "__main__":
    main()
