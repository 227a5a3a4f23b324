"""Finds sizes with units in a query ("taller than 30 cm", "at least 2 m"), where a typed attribute measures them."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from magpie.search.query.catalogue_facts import CatalogueFacts, Measure, aspect_patterns
from magpie.search.query.query_words import SIGN, any_of, query_words
from magpie.search.query.spans import Span

_NUMBER = rf"(?<![^\W{SIGN}])(?<![.,])\d{{1,9}}(?:[.,]\d{{1,4}})?"


def find_measures(text: str, facts: CatalogueFacts) -> list[Span]:
    """The measures that a folded query wants as ranges of the catalogue's columns.

    The column is the one of the aspect named ("tall" names the height), else the only one of the unit's dimension.
    Where none or several fit, the measure stays words.
    """
    if not facts.measures or not any(map(str.isdigit, text)):
        return []
    found: list[Span] = []
    for bounds, match in _matches(text):
        if any(match.start() < span.end and span.start < match.end() for span in found):
            continue
        dimension, unit = _unit(match.group("unit"))
        named = [match.groupdict().get(name) for name in ("before", "after")]
        aspect = next((each for word in named if word and (each := _aspect(word))), _meant(match))
        measure = _column(facts.measures, dimension, aspect)
        if measure is None:
            continue
        ends = {bound: float(match.group(group).replace(",", ".")) for bound, group in bounds.items()}
        scaled = {bound: round(number * unit / measure.unit, 6) for bound, number in ends.items()}
        if len(scaled) == 2:
            scaled = dict(zip(("gte", "lte"), sorted(scaled.values()), strict=True))
        found.append(Span("measure", *match.span(), measure.field, scaled))
    return found


def find_comparisons(text: str, facts: CatalogueFacts, example: Mapping[str, float]) -> list[Span]:
    """What a folded query beside an example wants to be less or more than there: "smaller", "cheaper", "taller".

    `example` has the numbers of the example by field. What names no aspect ("smaller") means its longest
    side.
    """
    found: list[Span] = []
    for is_below, words, pattern in _than_this():
        for match in pattern.finditer(text):
            aspect = next(aspect for word, aspect in words.items() if re.fullmatch(any_of([word]), match.group()))
            field = _field_of(aspect, facts.measures, example)
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


def _aspect(word: str) -> str:
    return next((aspect for aspect, pattern in aspect_patterns() if pattern.fullmatch(word)), "")


def _meant(match: re.Match[str]) -> str:
    """The aspect that a comparison means by itself: "taller than" is about the height."""
    said = " ".join((match.groupdict().get("operator") or "").split())
    words = query_words()["comparisons"]
    return str(words["below"].get(said) or words["above"].get(said) or "")


def _matches(text: str) -> Iterator[tuple[Mapping[str, str], re.Match[str]]]:
    for bounds, pattern in _patterns():
        yield from ((bounds, match) for match in pattern.finditer(text))


@cache
def _patterns() -> tuple[tuple[Mapping[str, str], re.Pattern[str]], ...]:
    words = query_words()
    units = sorted((unit for units in words["units"].values() for unit in units), key=len, reverse=True)
    unit = rf"(?:{'|'.join(map(re.escape, units))})(?![^\W_])"
    aspects = any_of(word for aspect in words["aspects"].values() for word in aspect)
    before, after = rf"(?:(?P<before>{aspects})\s*)?", rf"(?:\s*(?:in\s+)?(?P<after>{aspects}))?"
    both = {"gte": "number", "lte": "number2"}

    def _span(begin: str, to: str) -> str:
        number, number2 = rf"(?P<number>{_NUMBER})\s*(?:{unit})?", rf"(?P<number2>{_NUMBER})\s*(?P<unit>{unit})"
        return rf"{before}{begin}{number}\s*{to}\s*{number2}{after}"

    patterns: list[tuple[Mapping[str, str], str]] = [
        (both, _span(rf"{any_of([begin])}\s*", any_of([end]))) for begin, end in words["price"]["between"]
    ]
    patterns += [(both, _span("", any_of(words["price"]["to"])))]
    one = rf"(?P<number>{_NUMBER})\s*(?P<unit>{unit})"
    for bound, below in (("lte", "below"), ("gte", "above")):
        patterns += [
            ({bound: "number"}, rf"{before}(?P<operator>{any_of(words['comparisons'][below])})\s*{one}{after}")
        ]
        patterns += [({bound: "number"}, rf"{before}{one}{after}\s*{any_of(words['price'][below + '_after'])}")]
    return tuple((bounds, re.compile(pattern)) for bounds, pattern in patterns)


@cache
def _than_this() -> tuple[tuple[bool, Mapping[str, str], re.Pattern[str]], ...]:
    words = query_words()["than_this"]
    return tuple((name == "below", words[name], re.compile(any_of(words[name]))) for name in ("below", "above"))
