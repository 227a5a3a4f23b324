"""Completes what is typed with popular searches and with phrases of the catalogue that items have."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from magpie.indexer.text.completion_phrases import UNSPACED

MAX_PREFIX = 100
_BEGUN = re.compile(r"(?<!\w)[^\W\d_]{2,}$")
_MOST_TRIED = 60  # completions that are looked up for one prefix

Counted = Sequence[tuple[str, int]]


class Completion(NamedTuple):
    """A whole query that completes what was typed.

    `kind` is "search" for one that many people searched, "category" or "attribute" (of the name `field`) for a value of
    items, "title" for words of titles. `example` is the `items.id` of an item that has all its words, -1 without one.
    """

    text: str
    kind: str
    field: str = ""
    example: int = -1


class Completer:
    """Completes queries with the `phrases` of a catalogue, (phrase, items) in alphabetical order, in lower case.

    `fields` names the field of each value of a category or an attribute, by the value in lower case.
    """

    def __init__(self, phrases: Counted, fields: Mapping[str, str]) -> None:
        self._phrases, self._fields = phrases, fields
        self._unspaced = [pair for pair in phrases if UNSPACED.match(pair[0])]
        starts = ((phrase[at + 1 :], phrase, n) for phrase, n in phrases for at in _spaces(phrase))
        self._later = sorted(starts)  # phrases by what follows each of their spaces

    def complete(
        self, typed: str, limit: int, searched: Counted, example_of: Callable[[str, str, bool], int | None]
    ) -> list[Completion]:
        """At most `limit` completions of `typed`: up to half of them (rounded up) popular searches, then phrases.

        `searched` are (query, people) in alphabetical order, in lower case. `example_of(text, typed, is_search)`
        gives the `items.id` of an item that has all words of a text (of a search, all that any item has), and those
        that somebody typed in that form; what has no such item is left out.
        """
        prefix = _normalised(typed)
        found: dict[str, Completion] = {}
        if not prefix.strip():
            return []
        most_searched = (limit + 1) // 2
        for tried, (text, typed_words, kind) in enumerate(self._ways(prefix, searched)):
            if len(found) == limit or tried == _MOST_TRIED:
                break
            if text in found or (kind == "search" and len(found) == most_searched):
                continue
            example = example_of(text, typed_words, kind == "search")
            if example is not None:
                field = "" if kind else self._fields.get(text, "")
                found[text] = Completion(text, kind or _kind_of(field), field, example)
        return list(found.values())

    def _ways(self, prefix: str, searched: Counted) -> Iterator[tuple[str, str, str]]:
        """Completions, their words of no phrase, and their kind ("" for a phrase); the best first, repeats among them.

        First those that begin with the whole prefix, then the words before the last one with phrases that begin with
        that, then phrases of which a later word begins with the prefix.
        """
        yield from ((query, "", "search") for query in _most_frequent(_beginning_with(searched, prefix)))
        yield from ((phrase, "", "") for phrase in _most_frequent(_beginning_with(self._phrases, prefix)))
        head, _, last = prefix.rpartition(" ")
        if head and last:
            ends = _most_frequent(_beginning_with(self._phrases, last))
            yield from ((f"{head} {end}", head, "") for end in ends if not set(end.split()) & set(head.split()))
        first, end = bisect_left(self._later, (prefix,)), bisect_left(self._later, (prefix + "\U0010ffff",))
        yield from ((phrase, "", "") for phrase in _most_frequent([pair[1:] for pair in self._later[first:end]]))
        if UNSPACED.fullmatch(prefix):
            yield from ((p, "", "") for p in _most_frequent([pair for pair in self._unspaced if prefix in pair[0]]))


def finish_word(phrases: Counted, text: str, knows: Callable[[str], bool]) -> str:
    """The text with a last word that no item has completed to the most frequent word that begins with it."""
    begun = _BEGUN.search(text)
    if begun is None or knows(begun.group()):
        return text
    folded = begun.group().casefold()
    words = [pair for pair in _beginning_with(phrases, folded) if " " not in pair[0]]
    best = max(words, key=lambda pair: pair[1], default=(folded, 0))[0]
    return text + best[len(folded) :]


def _kind_of(field: str) -> str:
    return "title" if not field else "category" if field == "category" else "attribute"


def _normalised(typed: str) -> str:
    return " ".join(typed[:MAX_PREFIX].casefold().split()) + (" " if typed.endswith(" ") else "")


def _spaces(phrase: str) -> list[int]:
    return [at for at, sign in enumerate(phrase) if sign == " "]


def _most_frequent(pairs: Counted) -> list[str]:
    return [text for text, _ in sorted(pairs, key=lambda pair: (-pair[1], len(pair[0]), pair[0]))[:_MOST_TRIED]]


def _beginning_with(pairs: Counted, prefix: str) -> Counted:
    """The pairs whose text begins with the prefix, of pairs in alphabetical order."""
    return pairs[bisect_left(pairs, (prefix,)) : bisect_left(pairs, (prefix + "\U0010ffff",))]
