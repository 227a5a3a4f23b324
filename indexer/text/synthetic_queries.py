"""Synthetic queries, drawn from the catalogue's own words: an index is centred, checked and calibrated with them.

Each is a window of a title's words or a pair of attribute values, as people type them.
"""

import random
from dataclasses import dataclass, field

from magpie.indexer.text.item_text import ItemText

NUM_QUERIES = 256


@dataclass
class QuerySampler:
    """Draws queries from items one by one (reservoir sampling, Vitter 1985, algorithm R); seeded."""

    texts: list[str] = field(default_factory=list)
    _seen: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(20_250_801))

    def add(self, text: ItemText) -> None:
        """Considers one item."""
        if not (text.title or text.values):
            return
        self._seen += 1
        if len(self.texts) < NUM_QUERIES:
            self.texts.append(self._query_about(text))
        elif (place := self._random.randrange(self._seen)) < NUM_QUERIES:
            self.texts[place] = self._query_about(text)

    def _query_about(self, text: ItemText) -> str:
        words = text.title.split()
        if text.values and (not words or self._random.random() < 0.5):
            return " ".join(self._random.sample(text.values, min(2, len(text.values))))
        start = self._random.randrange(max(1, len(words) - 2))
        return " ".join(words[start : start + 3])
