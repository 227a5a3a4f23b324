"""How well do words alone find things, against a plain BM25 over title and description?

usage: python benchmarks/words_quality.py --feed FEED.csv --queries queries.jsonl --qrels qrels.txt [--judged-only]

Prints mean nDCG@10 of the lexical index and of BM25 (lower-cased words, k1 = 1.2, b = .75), and the share of matches
that are judged relevant (precision, recall and F1 against grades of at least 1). With --judged-only, unjudged items are
left out of the rankings, as for pools of human judgments. Nothing is encoded; a temporary home is made and removed.
"""

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue, Item
from magpie.data.database.connection import open_database
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.fast_arrays import best_first
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.read_catalogue import plan_texts
from magpie.indexer.text.languages import language_of
from magpie.indexer.text.query_words import analyse_query
from magpie.search.retrieval import matching

DEPTH = 1000


def read_items(feed: Path) -> tuple[list[Item], list[dict[str, str]], list[str]]:
    """The items of a feed, their words by field, and their languages."""
    with TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        database = open_database(settings)
        catalogue = Catalogue(database, settings)
        import_feed(catalogue, feed)
        plan = plan_texts(catalogue)
        items = [item for batch in catalogue.scan() for item in batch]
        database.close()
    return items, [plan.read(item).searched_fields() for item in items], [language_of(i.attributes) for i in items]


def rank_by_words(
    fields: Sequence[Mapping[str, str]], languages: Sequence[str], queries: Sequence[str]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For each query the rows, the best first, and those that match."""
    builder = LexicalIndexBuilder()
    for each, language in zip(fields, languages, strict=True):
        builder.add(each, language)
    index = builder.finish()
    statistics = CollectionStatistics([(index, np.zeros(len(fields), bool))])
    ranked, matched = [], []
    for query in queries:
        found = index.match(statistics.look_up(analyse_query(query, index.languages)))
        ranked.append(found.rows[best_first(found.scores, found.rows)[:DEPTH]])
        matched.append(found.rows[found.coverage >= matching._COVERED_SHARE * found.coverage.max(initial=0)])
    return ranked, matched


def rank_by_bm25(items: Sequence[Item], queries: Sequence[str], k1: float = 1.2, b: float = 0.75) -> list[np.ndarray]:
    """For each query the rows by BM25 over lower-cased words, the best first."""
    documents = [Counter(re.findall(r"\w+", f"{item.title} {item.description}".lower())) for item in items]
    lengths = np.array([document.total() for document in documents])
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, document in enumerate(documents):
        for word, count in document.items():
            postings[word].append((row, count))
    ranked = []
    for query in queries:
        scores = np.zeros(len(items), np.float32)
        for word in set(re.findall(r"\w+", query.lower())):
            rows, counts = np.array(postings.get(word, []), np.int64).reshape(-1, 2).T
            idf = math.log(1 + (len(items) - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += idf * counts * (k1 + 1) / (counts + k1 * (1 - b + b * lengths[rows] / lengths.mean()))
        rows = np.flatnonzero(scores)
        ranked.append(rows[best_first(scores[rows], rows)[:DEPTH]])
    return ranked


def ndcg_at_10(found: Sequence[str], judged: Mapping[str, int]) -> float:
    def gain(grades: Sequence[int]) -> float:
        return sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades[:10]))

    best = gain(sorted(judged.values(), reverse=True))
    return gain([judged.get(item, 0) for item in found]) / best if best else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("feed", "queries", "qrels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--judged-only", action="store_true")
    given = parser.parse_args()
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for line in given.qrels.read_text("utf-8").splitlines():
        query_id, _, item_id, grade = line.split()
        judged[query_id][item_id] = int(grade)
    asked = [json.loads(line) for line in given.queries.read_text("utf-8").splitlines()]
    asked = [query for query in asked if query.get("text") and judged.get(query["query_id"])]
    items, fields, languages = read_items(given.feed)
    texts, grades = [query["text"] for query in asked], [judged[query["query_id"]] for query in asked]
    ranked, matched = rank_by_words(fields, languages, texts)
    for name, rankings in (("words", ranked), ("BM25", rank_by_bm25(items, texts))):
        lists = [[items[row].item_id for row in rows] for rows in rankings]
        if given.judged_only:
            lists = [[item for item in found if item in own] for found, own in zip(lists, grades, strict=True)]
        print(f"{name}: nDCG@10 {np.mean([ndcg_at_10(f, own) for f, own in zip(lists, grades, strict=True)]):.3f}")
    shares = []
    for rows, own in zip(matched, grades, strict=True):
        found, relevant = {items[row].item_id for row in rows}, {item for item, grade in own.items() if grade > 0}
        found &= own.keys() if given.judged_only else found
        both = len(found & relevant)
        precision, recall = both / max(1, len(found)), both / max(1, len(relevant))
        shares.append((precision, recall, 2 * both / max(1, len(found) + len(relevant))))
    print("matches: precision {:.3f}, recall {:.3f}, F1 {:.3f}".format(*np.mean(shares, axis=0)))


if __name__ == "__main__":
    main()
