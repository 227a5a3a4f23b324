"""The phrases that complete a query while it is typed: categories, attribute values and words of titles."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from magpie.indexer.text.item_text import ItemText

_MOST_PHRASES = 20_000
_MOST_COUNTED = 120_000
_LONGEST_WORDS = 3
_LONGEST_SIGNS = 4
_FEWEST_NEIGHBOURS = 2
_WORD = re.compile(r"[\w'’-]*\w")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")  # Chinese and Japanese: no spaces between words
_JOINING = frozenset(["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])


@dataclass
class PhraseCounter:
    """Counts the items that each phrase occurs in.

    A title without spaces gives its runs of two to four signs that stand beside at least two different signs on either
    side, the title's ends counting as different ones: the accessor variety of Feng et al. 2004, which tells words of
    Chinese from their pieces (Computational Linguistics 30(1)).
    """

    _counts: Counter[str] = field(default_factory=Counter)
    _neighbours: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)

    def add(self, text: ItemText) -> None:
        """Counts the phrases of one item."""
        title = text.title.casefold()
        grams = {value.casefold() for value in text.values}
        grams.update(_phrases_of(_WORD.findall(title)))
        if not title.isascii():
            for run in UNSPACED.findall(title):
                grams.update(self._pieces_of(run))
        self._counts.update(grams)
        if len(self._counts) > _MOST_COUNTED:  # phrases seen once so far are dropped (Misra and Gries 1982, lossily)
            self._counts = Counter({phrase: n for phrase, n in self._counts.items() if n > 1})
            self._neighbours = {run: beside for run, beside in self._neighbours.items() if run in self._counts}

    def _pieces_of(self, run: str) -> Iterator[str]:
        """The runs of two to four signs in a run without spaces, whose neighbours are noted."""
        for start in range(len(run)):
            for end in range(start + 2, min(start + _LONGEST_SIGNS, len(run)) + 1):
                piece = run[start:end]
                before, after = self._neighbours.setdefault(piece, (set(), set()))
                # an end of the run counts as a neighbour that no other place has, up to the number needed
                before.add(run[start - 1] if start else f"start {min(len(before), _FEWEST_NEIGHBOURS)}")
                after.add(run[end] if end < len(run) else f"end {min(len(after), _FEWEST_NEIGHBOURS)}")
                yield piece

    def save(self, path: Path) -> None:
        """Writes the most frequent phrases, in alphabetical order; phrases of several words occur in two items."""
        kept = Counter({phrase: n for phrase, n in self._counts.items() if self._is_worth(phrase, n)})
        path.write_text(json.dumps(sorted(kept.most_common(_MOST_PHRASES)), ensure_ascii=False), encoding="utf-8")

    def _is_worth(self, phrase: str, count: int) -> bool:
        if UNSPACED.fullmatch(phrase):
            beside = self._neighbours.get(phrase)
            return len(phrase) > 1 and (beside is None or min(map(len, beside)) >= _FEWEST_NEIGHBOURS)
        return len(phrase) > 2 and not phrase.isdigit() and (count > 1 or " " not in phrase)


def _phrases_of(words: list[str]) -> Iterator[str]:
    """One to three words in a row that neither begin nor end with a joining word."""
    for start, first in enumerate(words):
        if first not in _JOINING:
            for end in range(start + 1, min(start + _LONGEST_WORDS, len(words)) + 1):
                if words[end - 1] not in _JOINING:
                    yield " ".join(words[start:end])


def load_phrases(path: Path) -> list[tuple[str, int]]:
    """The (phrase, count) pairs that were saved, in alphabetical order. Raises OSError, ValueError."""
    return [(phrase, count) for phrase, count in json.loads(path.read_text(encoding="utf-8"))]
