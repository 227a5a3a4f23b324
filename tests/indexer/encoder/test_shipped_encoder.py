"""The shipped encoder understands people's words: the same thing said otherwise lies nearer than another thing."""

import json

import numpy as np
import pytest

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.indexer.encoder.encoder import SHIPPED_MODELS_DIR, Encoder, open_encoder
from magpie.indexer.vectors import unit_rows
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest

MARGIN = 0.1


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder("magpie-mini")


def assert_nearer(encoder: Encoder, said: str, meant: str, other: str) -> None:
    """Compares as a search does: without what all queries have in common."""
    means = json.loads((SHIPPED_MODELS_DIR / "magpie-mini" / "magpie.json").read_text(encoding="utf-8"))["means"]
    vectors = unit_rows(encoder.encode_texts([said, meant, other]) - np.array(means["query"], np.float32))
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + MARGIN


@pytest.mark.parametrize(
    ("said", "meant", "other"),
    [
        ("trainers", "sneakers", "sandals"),
        ("trainers", "sports shoes", "formal shoes"),
        ("sneakers", "sports shoes", "flip flops"),
        ("navy", "dark blue", "dark green"),
        ("navy shirt", "dark blue shirt", "green shirt"),
        ("ladies", "women's", "men's"),
        ("ladies watch", "women's watch", "men's watch"),
        ("gents shirt", "men's shirt", "women's shirt"),
        ("crimson dress", "red dress", "blue dress"),
        ("gray scarf", "grey scarf", "red scarf"),
        ("tee", "tshirt", "trousers"),
        ("jumper", "sweater", "jeans"),
        ("hoodie", "sweatshirt", "skirt"),
        ("purse", "handbag", "belt"),
        ("rucksack", "backpack", "suitcase"),
        ("shades", "sunglasses", "watch"),
        ("necktie", "tie", "belt"),
        ("sofa", "couch", "lamp"),
    ],
)
def test_synonyms(encoder: Encoder, said: str, meant: str, other: str) -> None:
    assert_nearer(encoder, said, meant, other)


@pytest.mark.parametrize(
    ("one", "several", "other"),
    [
        ("handbag", "handbags", "wallet"),
        ("watch", "watches", "bracelets"),
        ("shoe", "shoes", "socks"),
        ("dress", "dresses", "skirts"),
        ("scarf", "scarves", "ties"),
        ("lamp", "lamps", "vases"),
        ("saree", "sarees", "kurtas"),
        ("red shoe", "red shoes", "blue shoes"),
    ],
)
def test_singular_and_plural(encoder: Encoder, one: str, several: str, other: str) -> None:
    assert_nearer(encoder, one, several, other)
    assert_nearer(encoder, several, one, other)


@pytest.mark.parametrize(
    ("words", "reordered", "other"),
    [
        ("blue men's shirt", "men's shirt blue", "red men's shirt"),
        ("black leather belt", "leather belt black", "brown leather belt"),
        ("women's red shoes", "red shoes for women", "women's blue shoes"),
        ("silver watch", "watch silver", "gold watch"),
        ("blue glass vase", "glass vase blue", "green glass vase"),
    ],
)
def test_word_order(encoder: Encoder, words: str, reordered: str, other: str) -> None:
    assert_nearer(encoder, words, reordered, other)


@pytest.mark.parametrize(
    ("typed", "meant", "other"),
    [
        ("sneekers", "sneakers", "sandals"),
        ("blck watch", "black watch", "silver watch"),
        ("hanbdag", "handbag", "belt"),
        ("bakpack", "backpack", "wallet"),
        ("sandles", "sandals", "shoes"),
        ("pruple shirt", "purple shirt", "green shirt"),
        ("wacth", "watch", "bracelet"),
    ],
)
def test_slips_that_the_encoder_itself_forgives(encoder: Encoder, typed: str, meant: str, other: str) -> None:
    assert_nearer(encoder, typed, meant, other)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("yelow kite", "kite-yellow"),
        ("blakc ring", "ring-black"),
        ("oragne plate", "plate-orange"),
        ("kitte in geen", "kite-green"),
        ("bleu plates", "plate-blue"),
    ],
)
def test_slips_in_a_whole_search(shop: Settings, typed: str, meant: str) -> None:
    """The speller knows the shop's words, whether or not the encoder would have understood."""
    database = open_database(shop)
    result = SearchEngine(shop, database).search(SearchRequest(text=typed))
    database.close()
    assert result.hits[0].item_id == meant
    assert result.corrected
