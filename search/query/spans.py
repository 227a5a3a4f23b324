"""Defines a span, a part of a query that was read as something else than plain words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from magpie.search.query.query_words import READ


@dataclass(frozen=True)
class Span:
    """The characters from `start` to `end` of a query, and what they mean.

    `kind` is "phrase", "exclusion", "price", "measure", "preference" or "asking". `field` is the field meant, "" for
    none, `bounds` the range it must be in, `values` what it must be. `inner` are the places of the words meant, without
    the operator: of the phrase, or of each thing excluded.
    """

    kind: str
    start: int
    end: int
    field: str = ""
    bounds: Mapping[str, float] | None = None
    values: tuple[str, ...] = ()
    inner: tuple[tuple[int, int], ...] = ()


def taken(text: str, spans: Iterable[Span]) -> str:
    """The text with the characters of these spans marked as read."""
    for span in spans:
        text = text[: span.start] + READ * (span.end - span.start) + text[span.end :]
    return text
