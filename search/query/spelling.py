"""Corrects misspelt words of a query to the catalogue's words, for the encoder and for "did you mean"."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

_WORD = re.compile(r"[^\W\d_]{4,}")
_BEGUN = re.compile(r"(?<!\w)[^\W\d_]{2,}$")
_LONG_WORD = 7
# A word of three letters is put right only where it begins as no English word does and lacks a vowel there ("vse",
# "lmp"): one edit from right ones, such as "cat", "pen", "bra", lie "coat", "open", "bora"; "vga" and "dna" end in a.
_LACKS_VOWEL = re.compile(
    r"\b(?![bcfgkps]l|[bcdfgkptw]r|[cgpstw]h|s[ckmnptw]|[gk]n|ps|tw)"
    r"[bcdfghjklmnpqrstvwxz][bcdfghjklmnpqrstvwxz][bcdefghjklmnpqrstvwxz]\b",
    re.IGNORECASE,
)
_FREQUENT = 5


class Speller:
    """Knows the catalogue's words with their frequencies, and words that are right although it lacks them."""

    def __init__(self, frequencies: Mapping[str, int], also_right: Iterable[str]) -> None:
        self._frequencies = {word: n for word, n in frequencies.items() if _WORD.fullmatch(word)}
        self._words = sorted(self._frequencies)
        self._all = frequencies
        self._beginnings = sorted(frequencies)
        self._right = {*frequencies, *(word for phrase in also_right for word in phrase.casefold().split())}

    def correct(self, text: str) -> str:
        """The text with each misspelt word replaced; the same text where nothing is misspelt.

        A word is misspelt if nobody knows it in singular or plural, and one that the catalogue has lies one edit away
        (two from seven letters on; swapped neighbours are one edit). Of equally near ones the most frequent wins.
        Words of three letters as in `complete`, shorter ones never.
        """
        return _WORD.sub(lambda found: self._right_word(found.group()), self.complete(text))

    def complete(self, text: str) -> str:
        """The text with the vowel that words of three letters lack after the first, where a frequent word has it."""
        return _LACKS_VOWEL.sub(self._with_vowel, text)

    def finish(self, text: str) -> str:
        """The text with its last word brought to its end, as far as that may be still in the typing: nobody knows it as
        it is, and the catalogue has words that begin so, of which the most frequent is taken."""
        begun = _BEGUN.search(text)
        if begun is None or self._is_right(folded := begun.group().casefold()):
            return text
        first, end = bisect_left(self._beginnings, folded), bisect_left(self._beginnings, folded + "\U0010ffff")
        best = max(self._beginnings[first:end], key=lambda word: self._all[word], default=folded)
        return text + best[len(folded) :]

    def right_words(self, text: str) -> frozenset[str]:
        """The words of the text that are known to be right, whether or not the catalogue has them."""
        return frozenset(word for word in _WORD.findall(text) if self._is_right(word.casefold()))

    def words(self, text: str) -> frozenset[str]:
        """All words of the text that could be misspelt, for who insists on them as they are."""
        return frozenset(_WORD.findall(text))

    def _is_right(self, folded: str) -> bool:
        forms = {folded, folded.removesuffix("s"), folded.removesuffix("es"), folded + "s"}
        return not forms.isdisjoint(self._right)

    def _with_vowel(self, found: re.Match[str]) -> str:
        folded = found.group().casefold()
        if self._is_right(folded):
            return found.group()
        whole = [f"{folded[0]}{vowel}{folded[1:]}" for vowel in "aeiou"]
        best = max(whole, key=lambda word: self._frequencies.get(word, 0))
        return best if self._frequencies.get(best, 0) >= _FREQUENT else found.group()

    def _right_word(self, word: str) -> str:
        folded = word.casefold()
        if self._is_right(folded):
            return word
        reach = 1 if len(folded) < _LONG_WORD else 2
        near = process.extract(folded, self._words, scorer=OSA.distance, score_cutoff=reach, limit=20)
        if not near:
            return word
        return min(near, key=lambda found: (found[1], -self._frequencies[found[0]]))[0]
