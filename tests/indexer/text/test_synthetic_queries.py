"""Synthetic queries are words of the items, at most 256, every item as likely as another, whatever their order."""

import re
from collections.abc import Iterable

from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.synthetic_queries import NUM_QUERIES, QuerySampler


def sampled(numbers: Iterable[int]) -> list[str]:
    sampler = QuerySampler()
    for number in numbers:
        text = ItemText(f"title{number} of four words", "", (f"value{number}", f"other{number}"), (), "")
        sampler.add(f"item-{number}", text)
    return sampler.texts


def test_queries_are_made_of_one_items_words() -> None:
    assert len(sampled(range(50))) == 50
    for query in sampled(range(50)):
        numbers = set(re.findall(r"\d+", query))
        words = re.sub(r"(title|value|other)\d+|of|four|words", "", query)
        assert 1 <= len(query.split()) <= 3 and len(numbers) <= 1 and not words.strip()


def test_late_items_are_drawn_too_and_their_order_does_not_matter() -> None:
    texts = sampled(range(20 * NUM_QUERIES))
    assert len(texts) == NUM_QUERIES and texts == sampled(reversed(range(20 * NUM_QUERIES)))
    one_more = sampled(range(20 * NUM_QUERIES + 1))
    assert len(set(texts) - set(one_more)) <= 1
    numbers = [int(found.group()) for text in texts if (found := re.search(r"\d+", text))]
    assert sum(number >= 10 * NUM_QUERIES for number in numbers) > len(numbers) / 3


def test_items_without_words_are_passed_over() -> None:
    sampler = QuerySampler()
    sampler.add("item", ItemText("", "only a description", (), (), ""))
    assert sampler.texts == []
