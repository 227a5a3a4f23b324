"""Finds prices in a query: "under 50", "between 20 and 60 €", "bis 30 Euro"; and the wish for cheap things."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from magpie.search.query.catalogue_facts import WORD, CatalogueFacts
from magpie.search.query.query_words import SIGN, any_of, beginning, ending, query_words
from magpie.search.query.spans import Span

FIELD = "price"
_NUMBER = re.compile(
    rf"(?<![^\W{SIGN}])(?<![.,])"
    r"(?:\d{1,3}(?:[.,'’]\d{3})+(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?)(?:[,.][-–])?"
)
# what stands behind a number that counts something else than money
_COUNTED = re.compile(r"(?!的)[\w%°\"″]|[.,]\d|\s*[x×*/]\s*\d")
# operators that compare, that do so only before a currency, and that may also be a word of a title
_OPERATORS = ("", "with_currency_", "ambiguous_")


@dataclass(frozen=True)
class Amount:
    """A number of a query with the currency beside it, "" without one, and the place of both."""

    start: int
    end: int
    number: float
    currency: str


@dataclass(frozen=True)
class _Found:
    """The place of a price, the bounds and the amounts that it names, and its operator, of which kind."""

    start: int
    end: int
    bounds: Mapping[str, float]
    amounts: tuple[Amount, ...]
    operator: str = ""
    kind: str = ""


def find_prices(text: str, facts: CatalogueFacts) -> list[Span]:
    """The prices that a folded query wants, where the catalogue has prices.

    A number without a currency is a price only where nothing that could be counted follows: the end of the query, a
    comma, a word such as "with", an attribute value, or the thing itself where the query begins with the price.
    """
    if not facts.has_prices:
        return []
    found: list[Span] = []
    for price in _prices(text, find_amounts(text)):
        currency = next((amount.currency for amount in price.amounts if amount.currency), "")
        if not currency and (price.kind == "with_currency_" or not _is_amount(text, price, facts)):
            continue
        found.append(Span("price", price.start, price.end, FIELD, price.bounds))
        if len(named := _named(currency) & facts.currencies) and len(facts.currencies) > 1:
            found.append(Span("price", price.start, price.end, "currency", values=tuple(sorted(named))))
    return found


def find_price_preference(text: str, facts: CatalogueFacts) -> list[Span]:
    """The word by which a folded query wishes for low prices; none where a title has it beside the next word."""
    match = _cheap().search(text) if facts.has_prices else None
    if match is None:
        return []
    return [] if facts.says(match.group(), text, match.end()) else [Span("preference", *match.span(), FIELD)]


def find_amounts(text: str) -> list[Amount]:
    """The numbers of a folded query, with currencies."""
    amounts = []
    for match in _NUMBER.finditer(text):
        after = beginning(text, match.end(), _currencies())
        before = None if after else ending(text, match.start(), _currencies())
        start, end = before[0] if before else match.start(), after[0] if after else match.end()
        amounts.append(Amount(start, end, _amount(match.group()), (after or before or (0, ""))[1]))
    return amounts


def _prices(text: str, amounts: list[Amount]) -> Iterator[_Found]:
    """What may be prices, in order, each amount in one of them."""
    words, at = query_words()[FIELD], 0
    while at < len(amounts):
        one, other = amounts[at], amounts[at + 1] if at + 1 < len(amounts) else None
        price = (_range(text, one, other) if other else None) or _bound(text, one, words)
        at += len(price.amounts) if price else 1
        if price:
            yield price


def _range(text: str, one: Amount, other: Amount) -> _Found | None:
    words, between = query_words()[FIELD], text[one.end : other.start].strip()
    low, high = sorted((one.number, other.number))
    bounds, pair = {"gte": low, "lte": high}, (one, other)
    for begin in (begin for begin, to in words["between"] if to == between):
        if operator := ending(text, one.start, [begin]):
            return _Found(operator[0], other.end, bounds, pair, begin)
    return _Found(one.start, other.end, bounds, pair, "", "with_currency_") if between in words["to"] else None


def _bound(text: str, one: Amount, words: Mapping[str, list[str]]) -> _Found | None:
    for bound, below in (("lte", "below"), ("gte", "above")):
        if after := beginning(text, one.end, words[f"{below}_after"]):
            return _Found(one.start, after[0], {bound: one.number}, (one,), after[1])
    before = [
        (operator, bound, kind)
        for bound, below in (("lte", "below"), ("gte", "above"))
        for kind in _OPERATORS
        if (operator := ending(text, one.start, words[kind + below]))
    ]
    if not before:
        return None
    (start, said), bound, kind = min(before, key=lambda each: each[0][0])  # "not over" before "over"
    return _Found(start, one.end, {bound: one.number}, (one,), said, kind)


def _is_amount(text: str, price: _Found, facts: CatalogueFacts) -> bool:
    if _COUNTED.match(text, price.end) or (price.kind == "ambiguous_" and facts.knows(price.operator)):
        return False
    rest = text[price.end :]
    word = WORD.match(rest.lstrip())
    if word is None or _joining().match(rest.lstrip()):
        return True
    is_unit = any(word.group() in units for units in query_words()["units"].values())
    is_thing = not WORD.search(text[: price.start]) and facts.knows(word.group())
    return not is_unit and (is_thing or facts.value_at(text, price.end + rest.index(word.group())) is not None)


def _named(currency: str) -> frozenset[str]:
    """The codes of the currencies that this sign or word may name."""
    return frozenset(code for code, names in query_words()["currencies"].items() if currency in names)


def _amount(number: str) -> float:
    """The number as people write amounts: the last dot or comma before one or two digits is the decimal point."""
    plain = re.sub(r"[,.][-–]$", "", number)
    whole, point, decimals = re.fullmatch(r"(.*?)(?:([.,])(\d{1,2}))?", plain).groups()  # type: ignore[union-attr]
    digits = re.sub(r"\D", "", whole)
    return float(f"{digits}.{decimals}") if point else float(digits)


@cache
def _currencies() -> tuple[str, ...]:
    return tuple({name for names in query_words()["currencies"].values() for name in names})


@cache
def _cheap() -> re.Pattern[str]:
    return re.compile(any_of(query_words()[FIELD]["cheap"]))


@cache
def _joining() -> re.Pattern[str]:
    """What may follow an amount: a word that goes on, or another amount."""
    words = query_words()
    return re.compile(any_of([*words["joining"], *words[FIELD]["below"], *words[FIELD]["above"]]))
