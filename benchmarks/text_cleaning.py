"""What cleaning an item's text is worth on a feed with padded descriptions: how well kinds of things are found.

python benchmarks/text_cleaning.py FLIPKART_DIR
FLIPKART_DIR holds products.csv. A query is the name of a category (any level of the path with 5 to 200 products), and
the products below it are relevant; the category itself is hidden from the texts. "raw" encodes and indexes title,
attributes and description as the feed has them, "cleaned" what `indexer/text/item_text.py` makes of them; the weights
of the three, and everything else, are the same.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from magpie.data.catalogue.catalogue import Catalogue, Item
from magpie.data.database.connection import open_database
from magpie.data.feeds.import_feed import import_feed
from magpie.data.settings import Settings
from magpie.indexer.encoder.encoder import Encoder, open_encoder
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.fast_arrays import best_first
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.text.item_text import ItemText, TextPlanBuilder
from magpie.indexer.text.query_words import analyse_query
from magpie.indexer.vectors import unit_rows

MAPPING = {
    "id": "uniq_id",
    "title": "product_name",
    "price": "discounted_price",
    "category": "product_category_tree",
    "url": "product_url",
}
FEWEST, MOST = 5, 200


def read_items(folder: Path) -> list[Item]:
    """The products as the catalogue has them."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        database = open_database(settings)
        catalogue = Catalogue(database, settings)
        import_feed(catalogue, folder / "products.csv", images=folder, mapping=MAPPING)
        items = [item for batch in catalogue.scan() for item in batch]
        database.close()
    return items


def path_of(item: Item) -> list[str]:
    """The names of the categories above an item, without the last, which is often its own title."""
    return [name.strip() for name in item.category.strip('[" ]').split(">>")][:-1]


def read_raw(item: Item) -> ItemText:
    """What the item says, as given."""
    values = tuple(value for value in item.attributes.values() if isinstance(value, str))
    return ItemText(item.title, item.description, values, values, "")


def vectors_of(texts: Sequence[ItemText], encoder: Encoder) -> np.ndarray:
    """(n, dim) unit rows, centred, by the weights that `ItemText.segments` gives."""
    segments = [text.segments() for text in texts]
    flat = list(dict.fromkeys(segment.text for of_item in segments for segment in of_item))
    vector = dict(zip(flat, encoder.encode_texts(flat), strict=True))
    empty = np.zeros(encoder.spec.dim)
    pooled = unit_rows(np.stack([sum((s.weight * vector[s.text] for s in one), empty) for one in segments]))
    return unit_rows(pooled - pooled.mean(axis=0))


def words_ranking(texts: Sequence[ItemText], queries: Sequence[str]) -> list[np.ndarray]:
    """The rows that the lexical index finds for each query."""
    builder = LexicalIndexBuilder()
    for text in texts:
        builder.add(text.searched_fields())
    index = builder.finish()
    statistics = CollectionStatistics([(index, np.zeros(len(texts), bool))])
    matches = [index.match(statistics.look_up(analyse_query(query, index.languages))) for query in queries]
    return [found.rows[best_first(found.scores, found.rows)[:10]] for found in matches]


def ndcg_at_10(rows: np.ndarray, relevant: np.ndarray) -> float:
    discounts = 1 / np.log2(np.arange(2, 12))
    return float((relevant[rows[:10]] * discounts[: len(rows[:10])]).sum() / discounts[: int(relevant.sum())].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    items, encoder = read_items(parser.parse_args().folder), open_encoder("magpie-mini")
    paths = [path_of(item) for item in items]
    members = {name: np.array([name in path for path in paths]) for name in sorted({n for path in paths for n in path})}
    kinds = {name: belongs for name, belongs in members.items() if FEWEST <= belongs.sum() <= MOST}
    hidden = [replace(item, category="") for item in items]
    builder = TextPlanBuilder()
    builder.add(hidden)
    plan = builder.build()
    asked = encoder.encode_texts(list(kinds))
    asked = unit_rows(asked - asked.mean(axis=0))
    print(f"{len(items)} products, {len(kinds)} kinds, {len(plan.boilerplate)} sentences cut as boilerplate")
    readers: dict[str, Callable[[Item], ItemText]] = {"raw": read_raw, "cleaned": plan.read}
    plain = [replace(item, attributes={}) for item in hidden]
    shown_texts = {
        "description": [replace(item, title="") for item in plain],
        "title, description": plain,
        "with attributes": hidden,
    }
    for shown, chosen in shown_texts.items():
        scores: dict[str, dict[str, np.ndarray]] = {"vectors": {}, "words": {}}
        for name, read in readers.items():
            texts = [read(item) for item in chosen]
            nearest = np.argsort(-asked @ vectors_of(texts, encoder).T, axis=1, kind="stable")
            found = {"vectors": list(nearest), "words": words_ranking(texts, list(kinds))}
            for source, rankings in found.items():
                pairs = zip(rankings, kinds.values(), strict=True)
                scores[source][name] = np.array([ndcg_at_10(rows, relevant) for rows, relevant in pairs])
        for source, by_name in scores.items():
            raw, cleaned = by_name["raw"], by_name["cleaned"]
            p = wilcoxon(cleaned, raw).pvalue if (cleaned != raw).any() else 1.0
            print(
                f"{shown:18} {source:8} nDCG@10 raw {raw.mean():.4f}, cleaned {cleaned.mean():.4f}; Wilcoxon p {p:.2g}"
            )


if __name__ == "__main__":
    main()
