"""Synthetic queries, drawn from the catalogue's own words: an index is centred, checked and calibrated with them.

Each is a window of a title's words or a pair of attribute values, as people type them.
"""

import random
from dataclasses import dataclass, field
from heapq import heappush, heapreplace

from magpie.indexer.draws import draw_key
from magpie.indexer.text.item_text import ItemText

NUM_QUERIES = 256


@dataclass
class QuerySampler:
    """Draws queries about the items with the least draw keys, whatever the order in which they come."""

    _drawn: list[tuple[int, str, str]] = field(default_factory=list)  # a heap of the negative key, the id, the query

    @property
    def texts(self) -> list[str]:
        """The queries, at most NUM_QUERIES."""
        return [query for _, _, query in sorted(self._drawn, reverse=True)]

    def add(self, item_id: str, text: ItemText) -> None:
        """Considers one item."""
        if not (text.title or text.values):
            return
        key = draw_key(item_id)
        if len(self._drawn) < NUM_QUERIES:
            heappush(self._drawn, (-key, item_id, _query_about(text, key)))
        elif -key > self._drawn[0][0]:
            heapreplace(self._drawn, (-key, item_id, _query_about(text, key)))


def _query_about(text: ItemText, key: int) -> str:
    chance, words = random.Random(key), text.title.split()
    if text.values and (not words or chance.random() < 0.5):
        return " ".join(chance.sample(text.values, min(2, len(text.values))))
    start = chance.randrange(max(1, len(words) - 2))
    return " ".join(words[start : start + 3])
