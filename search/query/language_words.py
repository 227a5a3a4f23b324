"""Tells how often a word is used in a language: the lists of wordfreq, loaded when a word is first looked up.

They take 60 MB on disk for 42 languages; a language takes up to 70 MB of memory.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

LEAST = -9.0  # log10 of the share of a word that no list has: the rarest in the lists have 1e-8


def log_share(word: str, languages: Iterable[str]) -> float:
    """log10 of the share of a language's words that this one is, in the language where it is most frequent."""
    shares = [share for language in languages if (share := _shares(language).get(word))]
    return math.log10(max(shares)) if shares else LEAST


def plain(word: str) -> str:
    """The word in lower case and without marks, as people type it."""
    marked = unicodedata.normalize("NFKD", word.casefold())
    return marked if marked.isascii() else "".join(c for c in marked if not unicodedata.combining(c))


@cache
def _shares(language: str) -> Mapping[str, float]:
    """The share of each word of a language, by the word without marks; nothing for a language without a list."""
    import wordfreq  # takes 0.1 s

    name = {"no": "nb"}.get(language, language)
    if name not in wordfreq.available_languages("best"):
        return {}
    shares: dict[str, float] = {}
    for word, share in wordfreq.get_frequency_dict(name, "best").items():
        key = word if word.isascii() else plain(word)
        shares[key] = shares.get(key, 0.0) + share
    wordfreq.get_frequency_dict.cache_clear()  # the same words, without marks, are kept here
    wordfreq.get_frequency_list.cache_clear()
    return shares
