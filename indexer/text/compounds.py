"""Splits German, Dutch and Scandinavian compounds: "gartenstuhl" into "garten" and "stuhl".

A split is one into known words whose geometric mean of frequencies is highest (Koehn and Knight 2003).
"""

from collections.abc import Iterable
from functools import cached_property

from magpie.indexer.text.languages import stop_words, word_frequencies

_LINKS = {
    "de": ("", "s", "es", "n", "en", "er", "e", "ns"),
    "nl": ("", "s", "e", "en", "er"),
    "sv": ("", "s", "e", "o", "u"),
    "da": ("", "s", "e", "er"),
    "nb": ("", "s", "e", "er"),
}
_SHORTEST_PART = 3
_SHORTEST_COMPOUND = 7
_RARE = 2e-8  # frequency of a word that only the catalogue has


class Compounds:
    """Splits the compounds of one language, by its frequent words and the catalogue's own."""

    def __init__(self, language: str, own_words: Iterable[str] = ()) -> None:
        self._language = language
        self._own_words = own_words

    @cached_property
    def _frequencies(self) -> dict[str, float]:
        words = dict.fromkeys((w for w in self._own_words if len(w) >= _SHORTEST_PART and w.isalpha()), _RARE)
        words.update((w, f) for w, f in word_frequencies(self._language).items() if w.isalpha())
        left_out = stop_words(self._language)
        return {w: f for w, f in words.items() if len(w) >= _SHORTEST_PART + 1 or (f > 1e-6 and w not in left_out)}

    def split(self, word: str) -> tuple[str, str] | None:
        """Modifier and head of a compound in lower case, without what links them; None for any other word."""
        if self._language not in _LINKS or len(word) < _SHORTEST_COMPOUND or not word.isalpha():
            return None
        best, chosen = 0.0, None
        for at in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1):
            head = self._frequencies.get(word[at:], 0.0)
            if not head:
                continue
            for link in _LINKS[self._language]:
                modifier = word[:at].removesuffix(link) if link else word[:at]
                if len(modifier) < _SHORTEST_PART or (link and len(modifier) == at):
                    continue
                score = head * self._frequencies.get(modifier, 0.0)
                if score > best:
                    best, chosen = score, (modifier, word[at:])
        return chosen


def has_compounds(language: str) -> bool:
    """Whether words of this language are split."""
    return language in _LINKS
