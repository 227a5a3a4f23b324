"""Finds what a query excludes: -word, not, no, without, ohne, sans, 不要."""

import re
from functools import cache

from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import SIGN, any_of, query_words
from magpie.search.query.spans import Span

_MOST_WORDS = 3  # of a thing that is no value of an attribute: "without long sleeves"
_MINUS = re.compile(r"(?<![^\s,;(])[-−](?=[^\W_])")
_SIGNS = re.compile(f"[{SIGN}]+")
_BETWEEN = re.compile(r"\s*")


def find_exclusions(text: str, facts: CatalogueFacts) -> list[Span]:
    """The exclusions of a folded query, each with the places of the things excluded.

    What is excluded is the attribute value that follows, and further values of the same field after "and", "or" or a
    comma; else up to three words, or only one where no other word stands before ("no plastic toys"). An operator that
    a title has beside the following word ("do not disturb", "no parking") is none.
    """
    found: list[Span] = []
    end = 0
    for operator in _operator().finditer(text):
        if operator.start() < end:
            continue
        inner = _things(text, operator, facts)
        if inner:
            end = inner[-1][1]
            found.append(Span("exclusion", operator.start(), end, inner=tuple(inner)))
    return found


def _things(text: str, operator: re.Match[str], facts: CatalogueFacts) -> list[tuple[int, int]]:
    """The places of what this operator excludes; none where it is no exclusion."""
    is_minus = operator.group("minus") is not None
    start = (
        operator.end() if is_minus else _skipped(_filler(), text, operator.end() + text.startswith("-", operator.end()))
    )
    first = WORD.match(text, start)
    if first is None or (not is_minus and facts.says(operator.group(), text, operator.end())):
        return []
    value = facts.value_at(text, start)
    if is_minus:
        return [(start, value.end if value and value.end <= first.end() else first.end())]
    if value is None:
        is_weak = operator.group("weak") is not None or first.group()[0].isdigit()
        return [] if is_weak else [(start, _phrase_end(text, operator, first, facts))]
    things, fields = [(start, value.end)], value.fields
    while value is not None:
        joined = _skipped(_filler(), text, _skipped(_joining(), text, value.end))
        follows = joined > value.end and WORD.match(text, joined)
        value = facts.value_at(text, joined) if follows else None
        if value is None or not fields & value.fields:
            break
        things.append((joined, value.end))
    return things


def _phrase_end(text: str, operator: re.Match[str], first: re.Match[str], facts: CatalogueFacts) -> int:
    """The end of the thing whose first word this is."""
    if signs := _SIGNS.match(text, first.start()):
        return signs.start() + len(signs.group().split("的")[0]) or signs.end()
    end, num_words, most = first.end(), 1, _MOST_WORDS if WORD.search(text[: operator.start()]) else 1
    for word in WORD.finditer(text, end):
        is_apart = bool(text[end : word.start()].strip(" "))
        if num_words == most or is_apart or _boundary().match(text, word.start()) or word.group()[0].isdigit():
            break
        if facts.value_at(text, word.start()):  # another wish: "without handle blue"
            break
        num_words += 1
        end = word.end()
    return end


def _skipped(pattern: re.Pattern[str], text: str, start: int) -> int:
    """The place after spaces and after what the pattern finds there, as often as it does."""
    start = _space_end(text, start)
    while (match := pattern.match(text, start)) and match.end() > start:
        start = _space_end(text, match.end())
    return start


def _space_end(text: str, start: int) -> int:
    match = _BETWEEN.match(text, start)
    return match.end() if match else start


@cache
def _operator() -> re.Pattern[str]:
    words = query_words()["exclusion"]
    strong, weak = any_of(words["strong"]), any_of(words["weak"])
    return re.compile(f"(?P<minus>{_MINUS.pattern})|(?P<strong>{strong})|(?P<weak>{weak})")


@cache
def _filler() -> re.Pattern[str]:
    return re.compile(any_of(query_words()["exclusion"]["filler"]))


@cache
def _joining() -> re.Pattern[str]:
    """What joins several excluded things: "and", "or", a comma, a repeated operator."""
    words = query_words()
    operators = [*words["exclusion"]["strong"], *words["exclusion"]["weak"]]
    return re.compile(f"{_MINUS.pattern}|{any_of([*words['and_or'], *operators])}")


@cache
def _boundary() -> re.Pattern[str]:
    return re.compile(any_of([*query_words()["joining"], *query_words()["exclusion"]["strong"]]))
