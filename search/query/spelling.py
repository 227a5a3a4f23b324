"""Puts misspelt words right by the words of the catalogue and of its languages, a noisy-channel choice.

A typed word t stands for the catalogue's word c with probability P(c) P(t | c), and for itself with P(t) (Kernighan,
Church and Gale 1990). P(c) mixes the shares of c in the catalogue and in the language; P(t | c) follows the shares of
omissions, insertions, substitutions and transpositions among misspellings (Pollock and Zamora 1984, table 2).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from rapidfuzz import process
from rapidfuzz.distance import OSA

from magpie.search.query.language_words import log_share, plain

_WORD = re.compile(r"(?<![\w'’.+/&-])[^\W\d_]{4,}(?![\w'’+/&-])")
_LONG_WORD = 7  # letters from which two slips in a word are looked for
_SLIPS = 0.03  # share of typed words that are misspelt
_OF_CATALOGUE = 0.9  # share of typed words that are drawn from the catalogue's, the others from the language
_UNKNOWN = 0.0005  # share of typed words that neither has: names
_LETTER = 1 / 12  # probability of each letter of an unknown word
_COMMON = -6.0  # log10 of the share from which a word of the language is never changed
_CORRECTED = 0.5  # log10 of the odds from which a word is put right
_SUGGESTED = -0.5  # the same for "did you mean"
_MOST_WORDS = 32
_VOWELS = frozenset("aeiouyäöüéèå")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True)
class Slip:
    """A word of a text, from `start` to `end`, that was probably meant to be `right`; `is_sure` where it is put right,
    else it is only asked about."""

    start: int
    end: int
    right: str
    is_sure: bool


class Speller:
    """Finds misspelt words. `counts` are the catalogue's words, in lower case, with the number of items that have them.
    Safe to share among threads."""

    def __init__(self, counts: Mapping[str, int], languages: Sequence[str]) -> None:
        self._counts = {word: n for word, n in counts.items() if _WORD.fullmatch(word)}
        self._total = max(1, sum(counts.values()))
        self._languages = languages
        self._remembered: dict[str, tuple[str, float]] = {}

    def slips(self, text: str, knows: Callable[[str], bool]) -> list[Slip]:
        """The misspelt words of a text; `knows` tells whether an item has a word in any of its forms.

        Left alone are words of less than four letters, words with digits or within codes, words that an item has in
        any form, and those that more than one of a million words of a language are. Only the first 32 are looked at,
        as many as a query may have, since an unknown word takes a tenth as long as a search.
        """
        found = []
        for match in islice(_WORD.finditer(text), _MOST_WORDS):
            right, odds = self.best(plain(match.group()))
            if odds >= _SUGGESTED and not knows(match.group()):
                found.append(Slip(*match.span(), right, odds >= _CORRECTED))
        return found

    def best(self, typed: str) -> tuple[str, float]:
        """The likeliest other word, "" for none, and log10 of its odds against the word as it is typed,
        which has no marks."""
        if typed not in self._remembered:
            if len(self._remembered) >= 10_000:
                self._remembered.clear()
            self._remembered[typed] = self._weigh(typed)
        return self._remembered[typed]

    def _weigh(self, typed: str) -> tuple[str, float]:
        share = log_share(typed, self._languages)
        if share >= _COMMON or typed in self._spelt or self._is_compound(typed):
            return "", -math.inf
        reach = 1 if len(typed) < _LONG_WORD else 2
        as_typed = (1 - _OF_CATALOGUE) * 10**share + _UNKNOWN * _LETTER ** len(typed)
        meant = [
            (self._share(word) * _SLIPS * slip_probability(key, typed), word) for key, word in self._near(typed, reach)
        ]
        best, word = max(meant, default=(0.0, ""))
        return (word, math.log10(best / as_typed)) if best else ("", -math.inf)

    def _near(self, typed: str, reach: int) -> list[tuple[str, str]]:
        """The catalogue's words within this edit distance, without marks and as the catalogue has them."""
        near: list[tuple[str, str]] = []
        for length in range(len(typed) - reach, len(typed) + reach + 1):
            words = self._by_length.get(length, [])
            found = process.extract(typed, words, scorer=OSA.distance, score_cutoff=reach, limit=None, processor=None)
            near += [(key, self._spelt[key]) for key, _, _ in found]
        return near

    def _share(self, word: str) -> float:
        """The share of typed words that are this word of the catalogue."""
        of_language = 10 ** log_share(plain(word), self._languages)
        return _OF_CATALOGUE * self._counts[word] / self._total + (1 - _OF_CATALOGUE) * of_language

    def _is_compound(self, typed: str) -> bool:
        """Whether the word is two words of four letters or more that items have, or that are common."""
        return any(self._is_part(typed[:at]) and self._is_part(typed[at:]) for at in range(4, len(typed) - 3))

    def _is_part(self, word: str) -> bool:
        return log_share(word, self._languages) >= _COMMON + 1 or self._spelt.get(word) is not None

    @cached_property
    def _spelt(self) -> dict[str, str]:
        """The catalogue's words by themselves without marks, the most frequent of several."""
        return {plain(word): word for word in sorted(self._counts, key=lambda word: self._counts[word])}

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        grouped: dict[int, list[str]] = {}
        for word in self._spelt:
            grouped.setdefault(len(word), []).append(word)
        return grouped


def slip_probability(right: str, typed: str) -> float:
    """The probability that a misspelling of `right` is `typed`.

    Of misspellings 34 % leave a letter out, 27 % put one in, 19 % take another one and 12.5 % exchange two; 6 % do more
    (Pollock and Zamora 1984). Half of the letters put in repeat one, half of the others taken are vowels for vowels or
    neighbours on the keyboard. The first letter is wrong a fifth as often as others (Yannakoudakis and Fawthrop 1983).
    """
    n = len(right)
    at = next((k for k, (a, b) in enumerate(zip(right, typed, strict=False)) if a != b), min(n, len(typed)))
    first = 0.2 if at == 0 else 1.0
    if len(typed) == n - 1 and right[:at] + right[at + 1 :] == typed:
        is_double = at > 0 and right[at - 1] == right[at]
        return first * 0.34 * (1 + is_double) / n
    if len(typed) == n + 1 and typed[:at] + typed[at + 1 :] == right:
        is_double = at > 0 and typed[at - 1] == typed[at]
        return first * 0.27 * (0.5 / n if is_double else 0.5 / (26 * (n + 1)))
    if len(typed) == n and right[at + 1 :] == typed[at + 1 :]:
        is_usual = {right[at], typed[at]} <= _VOWELS or typed[at] in _NEIGHBOURS.get(right[at], "")
        return first * 0.19 * (0.5 / (5 * n) if is_usual else 0.5 / (25 * n))
    if len(typed) == n and right[at : at + 2] == typed[at : at + 2][::-1] and right[at + 2 :] == typed[at + 2 :]:
        return 0.125 / (n - 1)
    return first * 0.06 / (6 * n) ** 2


def _neighbours() -> dict[str, str]:
    """The keys beside each key of an English keyboard."""
    place = {key: (row, column + row / 2) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}
    return {
        key: "".join(other for other, (b, y) in place.items() if other != key and abs(a - b) <= 1 and abs(x - y) <= 1)
        for key, (a, x) in place.items()
    }


_NEIGHBOURS = _neighbours()
