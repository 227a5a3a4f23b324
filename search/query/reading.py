"""Reads a query once, for words, encoder, filters and page: what is excluded, quoted, a price, a size, misspelt."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from magpie.search.query.attribute_values import find_sizes, find_values
from magpie.search.query.catalogue_facts import CatalogueFacts
from magpie.search.query.company import find_company
from magpie.search.query.exclusions import find_exclusions
from magpie.search.query.measures import find_comparisons, find_measures
from magpie.search.query.prices import find_price_preference, find_prices
from magpie.search.query.query_words import any_of, fold, query_words
from magpie.search.query.quoted_phrases import find_phrases
from magpie.search.query.spans import Span, taken
from magpie.search.query.spelling import Slip, Speller
from magpie.search.query.synonyms import find_synonyms
from magpie.search.request import FilterValue, Understood

_LEFT_OVER = " ,;:?!，；、。？！的"  # at the ends of what is left
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")


@dataclass(frozen=True)
class Reading:
    """What a query means.

    `words` are what index and encoder search, misspelt ones put right, without what was read as something else;
    `phrases` must be there, `excluded` must not. `bounds` are the ranges that fields must be in, `wanted` the values
    that they must have. `prefers_low_prices` is the wish for something cheap. `corrected` is the query with misspelt
    words put right, "" where none is; `did_you_mean` the same with words that may be misspelt. `understood` tells
    people all this.
    """

    words: str
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    bounds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    wanted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prefers_low_prices: bool = False
    corrected: str = ""
    did_you_mean: str = ""
    understood: tuple[Understood, ...] = ()

    @property
    def filters(self) -> dict[str, FilterValue]:
        """What items must be besides what the request's own filters ask."""
        return {**self.bounds, **{name: list(values) for name, values in self.wanted.items()}}

    @property
    def synonyms(self) -> list[Understood]:
        """The words that have synonyms."""
        return [one for one in self.understood if one.kind == "synonym"]

    @property
    def narrows(self) -> bool:
        """Whether some items are left out."""
        return bool(self.bounds or self.wanted or self.phrases or self.excluded)


PLAIN = Reading("")


@dataclass(frozen=True)
class ReadingOptions:
    """How to read: not at all (`read`), without spelling correction (`correct`), these parts as plain words
    (`literal`), and the numbers of the example by field that "smaller" compares with."""

    read: bool = True
    correct: bool = True
    literal: tuple[str, ...] = ()
    example: Mapping[str, float] = field(default_factory=dict)


def read_query(text: str, facts: CatalogueFacts, speller: Speller, options: ReadingOptions) -> Reading:
    """The reading of a query. Where nothing is left to search or to filter by, it stays plain words."""
    text = " ".join(text.split())
    folded = fold(text)
    literal = _places(folded, options.literal)
    spans = _spans(taken(folded, literal), facts, options) if options.read else []
    excluded = [place for span in spans if span.kind == "exclusion" for place in span.inner]
    slips = speller.slips(_to_spell(folded, [*spans, *literal], excluded), facts.knows) if options.correct else []
    sure = [slip for slip in slips if slip.is_sure]
    words = _words(text, spans, sure)
    if not words and not any(span.bounds or span.kind == "exclusion" for span in spans):
        spans, excluded, words = [], [], _words(text, [], sure) or text
    of_words = [*find_values(words, facts), *find_synonyms(words, facts)] if options.read else []
    taken_back = {fold(part) for part in options.literal}
    return Reading(
        words=words,
        phrases=tuple(text[start:end].strip() for span in spans if span.kind == "phrase" for start, end in span.inner),
        excluded=tuple(dict.fromkeys(_spelt(text, sure, *place).strip() for place in excluded)),
        bounds=_bounds(spans),
        wanted={span.field: span.values for span in spans if span.kind == "price" and span.values},
        prefers_low_prices=any(span.kind == "preference" for span in spans),
        corrected=_spelt(text, sure) if sure else "",
        did_you_mean=_spelt(text, slips) if len(slips) > len(sure) else "",
        understood=(*_told(text, spans, sure), *(one for one in of_words if fold(one.text) not in taken_back)),
    )


def _spans(rest: str, facts: CatalogueFacts, options: ReadingOptions) -> list[Span]:
    """What is read as something else than words, in the order of the text; each finder sees what is left."""
    finders: Sequence[Callable[[str], list[Span]]] = (
        find_phrases,
        lambda rest: find_sizes(rest, facts),
        lambda rest: find_measures(rest, facts),
        lambda rest: find_prices(rest, facts),
        lambda rest: find_company(rest, facts),
        lambda rest: find_comparisons(rest, facts, options.example),
        lambda rest: find_exclusions(rest, facts),
        lambda rest: find_price_preference(rest, facts),
    )
    spans: list[Span] = []
    for find in finders:
        found = find(rest)
        spans += found
        rest = taken(rest, found)
    return sorted(spans, key=lambda span: (span.start, span.end))


def _places(text: str, parts: Iterable[str]) -> list[Span]:
    """Where these parts stand in a folded text."""
    found = [re.finditer(re.escape(fold(" ".join(part.split()))), text) for part in parts if part.strip()]
    return [Span("literal", *match.span()) for matches in found for match in matches]


def _to_spell(text: str, spans: Iterable[Span], excluded: Iterable[tuple[int, int]]) -> str:
    """The text with everything marked as read but plain words and what is excluded."""
    rest = taken(text, spans)
    for start, end in excluded:
        rest = rest[:start] + text[start:end] + rest[end:]
    return rest


def _words(text: str, spans: Sequence[Span], slips: Sequence[Slip]) -> str:
    """The text without what was read as something else than words, misspelt words put right."""
    cuts = [(slip.start, slip.end, slip.right) for slip in slips]
    for span in spans:
        if span.kind in ("phrase", "value"):
            cuts += [(span.start, span.inner[0][0], " "), (span.inner[0][1], span.end, " ")]
        else:
            cuts = [cut for cut in cuts if not span.start <= cut[0] < span.end]
            cuts.append((_without_joining(text, span.start), span.end, " "))
    return " ".join(_EMPTY_BRACKETS.sub(" ", _replaced(text, cuts)).split()).strip(_LEFT_OVER)


def _spelt(text: str, slips: Sequence[Slip], start: int = 0, end: int | None = None) -> str:
    """The text, or the part of it, with these misspelt words put right."""
    end = len(text) if end is None else end
    inside = [slip for slip in slips if start <= slip.start and slip.end <= end]
    return _replaced(text[start:end], [(slip.start - start, slip.end - start, slip.right) for slip in inside])


def _replaced(text: str, cuts: Iterable[tuple[int, int, str]]) -> str:
    """The text with what stands from each start to each end replaced."""
    for start, end, new in sorted(cuts, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _bounds(spans: Sequence[Span]) -> dict[str, dict[str, float]]:
    """The ranges by field; where several spans bound a field, the narrowest ends."""
    bounds: dict[str, dict[str, float]] = {}
    for span in spans:
        if span.bounds:
            bounds[span.field] = narrowed(bounds.get(span.field, {}), span.bounds)
    return bounds


def narrowed(bounds: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """The bounds that both ranges keep to."""
    both = dict(bounds)
    for operator, end in more.items():
        tighter = max if operator in ("gte", "gt") else min
        both[operator] = tighter(end, both.get(operator, end))
    return both


def _told(text: str, spans: Sequence[Span], slips: Sequence[Slip]) -> list[Understood]:
    """What the answer tells of these spans."""
    return [
        Understood(
            kind=span.kind,
            text=text[span.start : span.end].strip(),
            field=span.field,
            filter=dict(span.bounds) if span.bounds else list(span.values) if span.kind == "price" else None,
            words=span.values or tuple(_spelt(text, slips, *place).strip() for place in span.inner),
        )
        for span in spans
    ]


def _without_joining(text: str, end: int) -> int:
    """The end of the text without words that only join what follows: "with" before "no handle"."""
    joining = _joining().search(fold(text), 0, end)
    return joining.start() if joining else end


@cache
def _joining() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(query_words()['joining'])}\s*)*$")
