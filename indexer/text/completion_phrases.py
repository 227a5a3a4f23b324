"""The phrases that complete a query while it is typed: categories, attribute values and recurring words of titles."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from magpie.indexer.text.item_text import ItemText

_MOST_PHRASES = 20_000
_MOST_COUNTED = 120_000
_LONGEST_WORDS = 3
_FEWEST_ITEMS = 2
_WORD = re.compile(r"[\w'’-]*\w")
_JOINING = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])


@dataclass
class PhraseCounter:
    """Counts the items that each phrase occurs in."""

    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, text: ItemText) -> None:
        """Counts the phrases of one item."""
        words = _WORD.findall(text.title.casefold())
        grams = {value.casefold() for value in text.values}
        for start, first in enumerate(words):
            if first in _JOINING:
                continue
            for end in range(start + 1, min(start + _LONGEST_WORDS, len(words)) + 1):
                if words[end - 1] not in _JOINING:
                    grams.add(" ".join(words[start:end]))
        self._counts.update(grams)
        if len(self._counts) > _MOST_COUNTED:  # phrases seen once so far are dropped (Misra and Gries 1982, lossily)
            self._counts = Counter({phrase: n for phrase, n in self._counts.items() if n > 1})

    def save(self, path: Path) -> None:
        """Writes the most frequent phrases, in alphabetical order."""
        long_enough = Counter({p: n for p, n in self._counts.items() if len(p) > 2 and not p.isdigit()})
        frequent = [(p, n) for p, n in long_enough.most_common(_MOST_PHRASES) if n >= _FEWEST_ITEMS]
        path.write_text(json.dumps(sorted(frequent), ensure_ascii=False), encoding="utf-8")


def load_phrases(path: Path) -> list[tuple[str, int]]:
    """The (phrase, count) pairs that were saved, in alphabetical order. Raises OSError, ValueError."""
    return [(phrase, count) for phrase, count in json.loads(path.read_text(encoding="utf-8"))]
