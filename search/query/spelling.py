"""Corrects misspelt words of a query to the catalogue's words, for the encoder and for "did you mean"."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

_WORD = re.compile(r"[^\W\d_]{4,}")
_BEGUN = re.compile(r"(?<!\w)[^\W\d_]{2,}$")
_LONG_WORD = 7
# A word of three letters is corrected only where it begins as no English word does and lacks a vowel there ("vse",
# "lmp"), because right short words ("cat", "pen", "bra") are one edit from others ("coat", "open", "bora"). A final "a"
# is left out for words such as "vga" and "dna".
_LACKS_VOWEL = re.compile(
    r"\b(?![bcfgkps]l|[bcdfgkptw]r|[cgpstw]h|s[ckmnptw]|[gk]n|ps|tw)"
    r"[bcdfghjklmnpqrstvwxz][bcdfghjklmnpqrstvwxz][bcdefghjklmnpqrstvwxz]\b",
    re.IGNORECASE,
)
_FREQUENT = 5


class Speller:
    """Corrects words by the catalogue's words (`frequencies`); words of `also_right` are never changed."""

    def __init__(self, frequencies: Mapping[str, int], also_right: Iterable[str]) -> None:
        self._frequencies = {word: n for word, n in frequencies.items() if _WORD.fullmatch(word)}
        self._words = sorted(self._frequencies)
        self._all = frequencies
        self._beginnings = sorted(frequencies)
        self._right = {*frequencies, *(word for phrase in also_right for word in phrase.casefold().split())}

    def correct(self, text: str) -> str:
        """The text with each misspelt word replaced.

        A word of four letters or more is misspelt if it is unknown in singular and plural, and a word of the catalogue
        is one edit away (two from seven letters on), by optimal string alignment distance. Of equally near words the
        most frequent is taken. Words of three letters are treated as in `complete`, shorter ones are never changed.
        """
        return _WORD.sub(lambda found: self._right_word(found.group()), self.complete(text))

    def complete(self, text: str) -> str:
        """The text with a vowel inserted in words of three consonants, where that makes a frequent word of the
        catalogue."""
        return _LACKS_VOWEL.sub(self._with_vowel, text)

    def finish(self, text: str) -> str:
        """The text with an unknown last word completed to the catalogue's most frequent word that begins with it."""
        begun = _BEGUN.search(text)
        if begun is None or self._is_right(folded := begun.group().casefold()):
            return text
        first, end = bisect_left(self._beginnings, folded), bisect_left(self._beginnings, folded + "\U0010ffff")
        best = max(self._beginnings[first:end], key=lambda word: self._all[word], default=folded)
        return text + best[len(folded) :]

    def right_words(self, text: str) -> frozenset[str]:
        """The words of the text that are spelled right, whether or not the catalogue has them."""
        return frozenset(word for word in _WORD.findall(text) if self._is_right(word.casefold()))

    def words(self, text: str) -> frozenset[str]:
        """All words of the text that correction could change, for searches that exclude correction."""
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
