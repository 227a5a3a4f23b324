"""Loads the words by which queries are read (prices, exclusions, units, company), and makes patterns of them."""

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

READ = "\ue000"  # stands for each character of a query that is read already: no word, no space
SIGN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # scripts without spaces between words
_IS_SIGN = re.compile(f"[{SIGN}]")


@cache
def query_words() -> dict[str, Any]:
    """The words of `query_words.json` by what they say, in lower case."""
    raw: dict[str, Any] = json.loads(files("magpie.search.query").joinpath("query_words.json").read_text("utf-8"))
    return raw


def fold(text: str) -> str:
    """The text in lower case, of the same length, so that places in one are places in the other."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def any_of(words: Iterable[str]) -> str:
    """A pattern of any of these words or phrases, the longest first; a word does not begin or end within another."""
    several = sorted(set(words), key=lambda word: (-len(word), word))
    alone = [word for word in several if not (_is_letter(word[0]) and _is_letter(word[-1]))]
    within = [word for word in several if _is_letter(word[0]) and _is_letter(word[-1])]
    # one look behind for all words is quicker than one for each
    patterns = [_alone(word) for word in alone]
    patterns += [rf"(?<!\w)(?:{'|'.join(map(re.escape, within))})(?!\w)"] if within else []
    return f"(?:{'|'.join(patterns)})"


def ending(text: str, end: int, words: Iterable[str]) -> tuple[int, str] | None:
    """The longest of these words that stands just before `end`, and its start; spaces may stand between."""
    end -= len(text[:end]) - len(text[:end].rstrip())
    found = [word for word in words if text.endswith(word, 0, end) and is_whole(text, end - len(word), end)]
    best = max(found, key=len, default=None)
    return (end - len(best), best) if best else None


def beginning(text: str, start: int, words: Iterable[str]) -> tuple[int, str] | None:
    """The longest of these words that stands just after `start`, and its end; spaces may stand between."""
    start += len(text[start:]) - len(text[start:].lstrip())
    found = [word for word in words if text.startswith(word, start) and is_whole(text, start, start + len(word))]
    best = max(found, key=len, default=None)
    return (start + len(best), best) if best else None


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether the part of the text from start to end neither begins nor ends within a word."""
    begins = start > 0 and _is_letter(text[start]) and _is_letter(text[start - 1])
    return not begins and not (end < len(text) and _is_letter(text[end - 1]) and _is_letter(text[end]))


def _is_letter(character: str) -> bool:
    """Whether the character is a letter of a script with spaces between words."""
    return character.isalpha() and not _IS_SIGN.match(character)


def _alone(word: str) -> str:
    before = r"(?<!\w)" if _is_letter(word[0]) else ""
    return before + re.escape(word) + (r"(?!\w)" if _is_letter(word[-1]) else "")
