"""What the shop calls its kinds (words.json): nouns and synonyms, names of shapes, what each is good for, abroad."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Words:
    """A kind in words.

    `nouns` are interchangeable; `shapes` maps a variant to a phrase with {} for the noun (absent: the noun alone);
    `uses` are second sentences of a description; `abroad` holds the German, French and Chinese nouns (de, fr, zh).
    """

    nouns: list[str]
    shapes: dict[str, str]
    uses: list[str]
    abroad: dict[str, str]


@cache
def words_of(kind: str) -> Words:
    """The words for a kind; KeyError where words.json lacks it."""
    return Words(**_all_words()[kind])


@cache
def _all_words() -> dict[str, dict[str, object]]:
    return json.loads((Path(__file__).parent / "words.json").read_text("utf-8"))
