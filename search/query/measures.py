"""Finds sizes with units in a query ("taller than 30 cm", "at least 2 m"), where a typed attribute measures them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from magpie.search.query.catalogue_facts import CatalogueFacts, Measure
from magpie.search.query.query_words import SIGN, any_of, beginning, ending, query_words
from magpie.search.query.spans import Span

_NUMBER = re.compile(rf"(?<![^\W{SIGN}])(?<![.,])\d{{1,9}}(?:[.,]\d{{1,4}})?")


@dataclass(frozen=True)
class _Length:
    """A number of a query with the unit behind it, "" without one."""

    start: int
    end: int
    number: float
    unit: str


@dataclass(frozen=True)
class _Found:
    """The place of a measure, the bounds that it names in its unit, and the aspect that its operator means, if any."""

    start: int
    end: int
    bounds: Mapping[str, float]
    unit: str
    aspect: str = ""


def find_measures(text: str, facts: CatalogueFacts) -> list[Span]:
    """The measures that a folded query wants as ranges of the catalogue's columns.

    The column is the one of the aspect named ("tall" names the height), else the only one of the unit's dimension.
    Where none or several fit, the measure stays words.
    """
    found: list[Span] = []
    for one in _measures(text) if facts.measures else ():
        dimension, unit = _unit(one.unit)
        before, after = ending(text, one.start, _aspects()), beginning(text, one.end, _aspects())
        in_after = beginning(text, one.end, ["in"])
        after = after or (beginning(text, in_after[0], _aspects()) if in_after else None)
        named = after or before
        measure = _column(facts.measures, dimension, _aspects()[named[1]] if named else one.aspect)
        if measure is not None:
            scaled = {bound: round(number * unit / measure.unit, 6) for bound, number in one.bounds.items()}
            start, end = before[0] if before else one.start, after[0] if after else one.end
            found.append(Span("measure", start, end, measure.field, scaled))
    return found


def find_comparisons(text: str, facts: CatalogueFacts, example: Mapping[str, float]) -> list[Span]:
    """What a folded query beside an example wants to be less or more than there: "smaller", "cheaper", "taller".

    `example` has the numbers of the example by field. What names no aspect ("smaller") means its longest
    side.
    """
    found: list[Span] = []
    for is_below, words, pattern in _than_this():
        for match in pattern.finditer(text):
            field = _field_of(words[match.group()], facts.measures, example)
            if field and not any(span.field == field for span in found):
                found.append(Span("measure", *match.span(), field, {"lt" if is_below else "gt": example[field]}))
    return found


def _field_of(aspect: str, measures: tuple[Measure, ...], example: Mapping[str, float]) -> str:
    """The field of the example that is compared, "" without one."""
    if aspect == "price":
        return aspect if aspect in example else ""
    known = [one for one in measures if one.field in example and one.dimension == "length"]
    if aspect:
        known = [one for one in measures if one.field in example and one.aspect == aspect]
    longest = max(known, key=lambda one: example[one.field] * one.unit, default=None)
    return longest.field if longest else ""


def _column(measures: tuple[Measure, ...], dimension: str, aspect: str) -> Measure | None:
    fitting = [one for one in measures if one.dimension == dimension and aspect in ("", one.aspect)]
    if aspect:  # "height" before "seat height"
        return min(fitting, key=lambda one: (len(one.field), one.field), default=None)
    return fitting[0] if len(fitting) == 1 else None


def _unit(word: str) -> tuple[str, float]:
    """The dimension of a unit, and how many base units it is."""
    return next((dimension, units[word]) for dimension, units in query_words()["units"].items() if word in units)


def _measures(text: str) -> Iterator[_Found]:
    """What may be measures that are compared, in order."""
    lengths = list(_lengths(text))
    for one, other in zip_longest(lengths, lengths[1:]):
        found = _range(text, one, other) if other and one.unit in ("", other.unit) else None
        if found := found or _bound(text, one):
            yield found


def _lengths(text: str) -> Iterator[_Length]:
    for match in _NUMBER.finditer(text):
        unit = beginning(text, match.end(), _units()) or (match.end(), "")
        yield _Length(match.start(), unit[0], float(match.group().replace(",", ".")), unit[1])


def _range(text: str, one: _Length, other: _Length) -> _Found | None:
    words, to = query_words()["price"], text[one.end : other.start].strip()
    low, high = sorted((one.number, other.number))
    begins = [begin for begin, end in words["between"] if end == to]
    begin = ending(text, one.start, begins)
    is_range = other.unit and (begin is not None or to in words["to"])
    start = begin[0] if begin else one.start
    return _Found(start, other.end, {"gte": low, "lte": high}, other.unit) if is_range else None


def _bound(text: str, one: _Length) -> _Found | None:
    words = query_words()
    if not one.unit:
        return None
    for bound, below in (("lte", "below"), ("gte", "above")):
        if after := beginning(text, one.end, words["price"][f"{below}_after"]):
            return _Found(one.start, after[0], {bound: one.number}, one.unit)
    compared = words["comparisons"]
    before = [
        (operator, below) for below in ("below", "above") if (operator := ending(text, one.start, compared[below]))
    ]
    if not before:
        return None
    (start, said), below = min(before, key=lambda each: each[0][0])  # "no taller than" before "taller than"
    bound = "lte" if below == "below" else "gte"
    return _Found(start, one.end, {bound: one.number}, one.unit, compared[below][said])


@cache
def _units() -> tuple[str, ...]:
    return tuple(unit for units in query_words()["units"].values() for unit in units)


@cache
def _aspects() -> Mapping[str, str]:
    """The aspect that each word names: "tall" the height."""
    return {word: aspect for aspect, words in query_words()["aspects"].items() for word in words}


@cache
def _than_this() -> tuple[tuple[bool, Mapping[str, str], re.Pattern[str]], ...]:
    words = query_words()["than_this"]
    return tuple((name == "below", words[name], re.compile(any_of(words[name]))) for name in ("below", "above"))
