"""Finds prices in a query: "under 50", "between 20 and 60 €", "bis 30 Euro"; and the wish for cheap things."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import SIGN, any_of, query_words
from magpie.search.query.spans import Span

FIELD = "price"
_NUMBER = (
    rf"(?<![^\W{SIGN}])(?<![.,])"
    r"(?:\d{1,3}(?:[.,'’]\d{3})+(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?)(?:[,.][-–])?"
)
# what stands behind a number that counts something else than money
_COUNTED = re.compile(r"(?!的)[\w%°\"″]|[.,]\d|\s*[x×*/]\s*\d")
_LETTER = r"[^\W\d_]"


def find_prices(text: str, facts: CatalogueFacts) -> list[Span]:
    """The prices that a folded query wants, where the catalogue has prices.

    A number without a currency is a price only where nothing that could be counted follows: the end of the query, a
    comma, a word such as "with", an attribute value, or the thing itself where the query begins with the price.
    """
    if not facts.has_prices or not any(map(str.isdigit, text)):
        return []
    found: list[Span] = []
    for bounds, operators, match in _matches(text):
        amounts = match.groupdict()
        currency = next((amounts[name] for name in ("pre", "post", "pre2", "post2") if amounts.get(name)), "")
        if any(match.start() < span.end and span.start < match.end() for span in found):
            continue
        if not currency and (operators == "with_currency" or not _is_amount(text, match, operators, facts)):
            continue
        low_high = {name: _amount(amounts[group]) for name, group in bounds.items()}
        if len(low_high) == 2:
            low_high = dict(zip(("gte", "lte"), sorted(low_high.values()), strict=True))
        found.append(Span("price", *match.span(), FIELD, low_high))
        if len(named := _named(currency) & facts.currencies) and len(facts.currencies) > 1:
            found.append(Span("price", match.end(), match.end(), "currency", values=tuple(sorted(named))))
    return found


def find_price_preference(text: str, facts: CatalogueFacts) -> list[Span]:
    """The word by which a folded query wishes for low prices; none where a title has it beside the next word."""
    match = _cheap().search(text) if facts.has_prices else None
    if match is None:
        return []
    return [] if facts.says(match.group(), text, match.end()) else [Span("preference", *match.span(), FIELD)]


def _is_amount(text: str, match: re.Match[str], operators: str, facts: CatalogueFacts) -> bool:
    if _COUNTED.match(text, match.end()):
        return False
    if operators == "ambiguous" and facts.knows(match.group("operator").strip()):
        return False
    rest = text[match.end() :]
    word = WORD.match(rest.lstrip())
    if word is None or _joining().match(rest.lstrip()):
        return True
    is_unit = any(word.group() in units for units in query_words()["units"].values())
    is_thing = not WORD.search(text[: match.start()]) and facts.knows(word.group())
    return not is_unit and (is_thing or facts.value_at(text, match.end() + rest.index(word.group())) is not None)


def _named(currency: str) -> frozenset[str]:
    """The codes of the currencies that this sign or word may name."""
    return frozenset(code for code, names in query_words()["currencies"].items() if currency in names)


def _amount(number: str) -> float:
    """The number as people write amounts: the last dot or comma before one or two digits is the decimal point."""
    plain = re.sub(r"[,.][-–]$", "", number)
    whole, point, decimals = re.fullmatch(r"(.*?)(?:([.,])(\d{1,2}))?", plain).groups()  # type: ignore[union-attr]
    digits = re.sub(r"\D", "", whole)
    return float(f"{digits}.{decimals}") if point else float(digits)


def _matches(text: str) -> Iterator[tuple[Mapping[str, str], str, re.Match[str]]]:
    """Each match with the group of the number that each bound is, and the kind of its operator."""
    for bounds, operators, pattern in _patterns():
        yield from ((bounds, operators, match) for match in pattern.finditer(text))


@cache
def _patterns() -> tuple[tuple[Mapping[str, str], str, re.Pattern[str]], ...]:
    """Operators are "" for those that compare, "with_currency" for those that do so before a currency only, "ambiguous"
    for those that may also be a word of a title."""
    words = query_words()[FIELD]
    first, second = _money("number", "pre", "post"), _money("number2", "pre2", "post2")
    both = {"gte": "number", "lte": "number2"}
    patterns: list[tuple[Mapping[str, str], str, str]] = [
        (both, "", rf"{any_of([begin])}\s*{first}\s*{any_of([end])}\s*{second}") for begin, end in words["between"]
    ]
    patterns += [(both, "with_currency", rf"{first}\s*{any_of(words['to'])}\s*{second}")]
    for bound, below in (("lte", "below"), ("gte", "above")):
        patterns += [({bound: "number"}, "", rf"{first}\s*(?P<operator>{any_of(words[below + '_after'])})")]
        for operators, name in (
            ("", below),
            ("ambiguous", f"ambiguous_{below}"),
            ("with_currency", f"with_currency_{below}"),
        ):
            patterns += [({bound: "number"}, operators, rf"(?P<operator>{any_of(words[name])})\s*{first}")]
    return tuple((bounds, operators, re.compile(pattern)) for bounds, operators, pattern in patterns)


def _money(number: str, before: str, after: str) -> str:
    """The pattern of an amount with or without a currency, as groups of these names."""
    names = sorted({name for names in query_words()["currencies"].values() for name in names}, key=len, reverse=True)
    signs = "|".join(
        (rf"(?<!{_LETTER})" if name[0].isalpha() else "")
        + re.escape(name)
        + (rf"(?!{_LETTER})" if name[-1].isalpha() and name.isascii() else "")
        for name in names
    )
    return rf"(?:(?P<{before}>{signs})\s*)?(?P<{number}>{_NUMBER})(?:\s*(?P<{after}>{signs}))?"


@cache
def _cheap() -> re.Pattern[str]:
    return re.compile(any_of(query_words()[FIELD]["cheap"]))


@cache
def _joining() -> re.Pattern[str]:
    """What may follow an amount: a word that goes on, or another amount."""
    words = query_words()
    return re.compile(any_of([*words["joining"], *words[FIELD]["below"], *words[FIELD]["above"]]))
