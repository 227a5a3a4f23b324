"""Synthetic queries are words of the items, at most 256 of them, every item as likely as another, always the same."""

import re

from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.synthetic_queries import NUM_QUERIES, QuerySampler


def sampled(count: int) -> list[str]:
    sampler = QuerySampler()
    for number in range(count):
        sampler.add(ItemText(f"title{number} of four words", "", (f"value{number}", f"other{number}"), (), ""))
    return sampler.texts


def test_queries_are_made_of_one_items_words() -> None:
    for number, query in enumerate(sampled(50)):
        own = {f"title{number}", "of", "four", "words", f"value{number}", f"other{number}"}
        assert 1 <= len(query.split()) <= 3 and own.issuperset(query.split())


def test_late_items_are_drawn_too_and_the_draw_is_repeatable() -> None:
    texts = sampled(20 * NUM_QUERIES)
    assert len(texts) == NUM_QUERIES and texts == sampled(20 * NUM_QUERIES)
    numbers = [int(found.group()) for text in texts if (found := re.search(r"\d+", text))]
    assert sum(number >= 10 * NUM_QUERIES for number in numbers) > len(numbers) / 3


def test_items_without_words_are_passed_over() -> None:
    sampler = QuerySampler()
    sampler.add(ItemText("", "only a description", (), (), ""))
    assert sampler.texts == []
