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
    return "(?:" + "|".join(_whole(word) for word in sorted(set(words), key=lambda word: (-len(word), word))) + ")"


def _whole(word: str) -> str:
    pattern = re.escape(word).replace(r"\ ", r"\s+")
    before = r"(?<!\w)" if word[0].isalnum() and not _IS_SIGN.match(word[0]) else ""
    after = r"(?!\w)" if word[-1].isalnum() and not _IS_SIGN.match(word[-1]) else ""
    return before + pattern + after
