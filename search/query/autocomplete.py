"""Completes a typed prefix with popular searches and with phrases of the catalogue."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

MAX_PREFIX = 100
_BEGUN = re.compile(r"(?<!\w)[^\W\d_]{2,}$")


def complete(phrases: Sequence[tuple[str, int]], typed: str, limit: int) -> list[str]:
    """At most `limit` completions of `typed`, the most frequent first: phrases that begin with all of it, then with its
    last word.

    `phrases` are (phrase, count) in alphabetical order, in lower case.
    """
    prefix = _prefix(typed)
    if not prefix.strip():
        return []
    whole = _with_prefix(phrases, prefix)
    found = [phrase for phrase, _ in sorted(whole, key=lambda pair: (-pair[1], pair[0]))]
    head, _, last = prefix.rpartition(" ")
    if head and last and len(found) < limit:
        endings = sorted(_with_prefix(phrases, last), key=lambda pair: (-pair[1], pair[0]))
        found += [f"{head} {phrase}" for phrase, _ in endings[:limit] if phrase not in head]
    return list(dict.fromkeys(found))[:limit]


def complete_with_searches(
    searched: Sequence[tuple[str, int]], phrases: Sequence[tuple[str, int]], typed: str, limit: int
) -> list[str]:
    """At most `limit` completions: up to half of them (rounded up) popular searches, then phrases of the catalogue.

    `searched` and `phrases` are (phrase, count) in alphabetical order, in lower case.
    """
    prefix = _prefix(typed)
    begun = sorted(_with_prefix(searched, prefix), key=lambda pair: (-pair[1], pair[0])) if prefix.strip() else []
    found = [phrase for phrase, _ in begun[: (limit + 1) // 2]]
    return list(dict.fromkeys(found + complete(phrases, typed, limit)))[:limit]


def finish_word(phrases: Sequence[tuple[str, int]], text: str, knows: Callable[[str], bool]) -> str:
    """The text with a last word that no item has completed to the most frequent word that begins with it."""
    begun = _BEGUN.search(text)
    if begun is None or knows(begun.group()):
        return text
    folded = begun.group().casefold()
    words = [pair for pair in _with_prefix(phrases, folded) if " " not in pair[0]]
    best = max(words, key=lambda pair: pair[1], default=(folded, 0))[0]
    return text + best[len(folded) :]


def _prefix(typed: str) -> str:
    return " ".join(typed[:MAX_PREFIX].casefold().split()) + (" " if typed.endswith(" ") else "")


def _with_prefix(phrases: Sequence[tuple[str, int]], prefix: str) -> Sequence[tuple[str, int]]:
    start = bisect_left(phrases, (prefix,))
    end = bisect_left(phrases, (prefix + "\U0010ffff",))
    return phrases[start:end]
