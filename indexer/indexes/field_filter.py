"""What a filter asks of one field: values, ranges, exclusions, presence; read from JSON, checked by its kind.

Ranges come with their ends as they were written, since only the column knows whether it holds numbers, dates or words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from magpie.data.catalogue.instants import period_of
from magpie.data.catalogue.items import MAX_NUMBER
from magpie.data.errors import BadFilter, NoRange, NotTogether, UnknownField, brief
from magpie.indexer.indexes.column_types import Column, NumberColumn, format_number

RANGE_OPERATORS = ("gte", "gt", "lte", "lt")
OPERATORS = (*RANGE_OPERATORS, "not", "exists")
Ends = tuple[tuple[str, float], ...]  # operators, and the numbers that a column compares
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Span:
    """A range with its ends by operator: numbers, or texts that name dates. One that an address writes as `A..B` keeps
    that in `written`, its ends are texts, and on a field of words it is a value."""

    ends: tuple[tuple[str, float | str], ...]
    written: str = ""


@dataclass(frozen=True)
class FieldFilter:
    """What a field must be: one of `values` or within one of `spans`, where there are any; none of `not_values` and
    within none of `not_spans`; there (`exists`) or not. An item without the field passes what only excludes."""

    values: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    not_values: tuple[str, ...] = ()
    not_spans: tuple[Span, ...] = ()
    exists: bool | None = None

    @property
    def wants_values(self) -> bool:
        """Whether values or ranges are asked for, rather than only excluded or asked to be there."""
        return bool(self.values or self.spans)

    @property
    def passes_missing(self) -> bool:
        """Whether an item without the field passes."""
        return not self.wants_values and not self.exists


# as a caller may give it: values, an object as in JSON, or what `read_filter` made of them
FilterValue = FieldFilter | Sequence[Any] | Mapping[str, Any] | str | float


def read_filter(field: str, given: object) -> FieldFilter:
    """The filter as JSON writes it: a value, values that are or-ed, or an object of `gte`, `gt`, `lte`, `lt`, `not` and
    `exists`, which are and-ed. Raises BadFilter."""
    if isinstance(given, FieldFilter):
        return given
    if not isinstance(given, Mapping):
        return FieldFilter(values=_values(field, given))
    if not given:
        raise BadFilter(f"filters.{field}: the object is empty; use one or more of {', '.join(OPERATORS)}")
    for operator in given:
        if operator not in OPERATORS:
            raise BadFilter(f"filters.{field}: unknown operator {brief(operator)}; use {', '.join(OPERATORS)}")
    exists = given.get("exists")
    if "exists" in given and not isinstance(exists, bool):
        raise BadFilter(f"filters.{field}.exists: {brief(exists)} is neither true nor false")
    bounds = {name: bound for name, bound in given.items() if name in RANGE_OPERATORS}
    not_values, not_spans = _excluded(field, given["not"]) if "not" in given else ((), ())
    return FieldFilter((), (_span(field, bounds),) if bounds else (), not_values, not_spans, exists)


def written_span(text: str) -> Span | None:
    """The range that `A..B`, `A..` or `..B` in an address may be, both ends included; None without two dots."""
    low, dots, high = (part.strip() for part in text.partition(".."))
    ends = tuple((operator, end) for operator, end in (("gte", low), ("lte", high)) if end)
    return Span(ends, text) if dots else None


def sort_out(name: str, column: Column, values: Sequence[str], spans: Sequence[Span]) -> tuple[list[str], list[Ends]]:
    """The values, and the ends of the ranges as the numbers that the column compares, instants for dates.

    Raises NoRange for an end that is not of the column's kind, UnknownField for a range of a field of words.
    """
    if isinstance(column, NumberColumn):
        read = _ends_of_dates if column.is_dates else _ends_of_numbers
        return list(values), [read(name, span) for span in spans]
    for span in spans:
        if not span.written or (span.ends and all(_is_number_or_date(str(end)) for _, end in span.ends)):
            raise UnknownField(
                f"The filter on {name!r} is a range, but it holds words; give a list of values, in quotes if need be."
            )
    return [*values, *(span.written for span in spans)], []


def check_alone(name: str, values: Sequence[str], ranges: Sequence[Ends]) -> None:
    """Raises NotTogether where a range stands beside a value or another range that it would be or-ed with."""
    if ranges and len(values) + len(ranges) > 1:
        raise NotTogether(f"filter: {name} is given a range and something else; give one range, or values")


def _excluded(field: str, given: object) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    values = given if isinstance(given, list | tuple) else [given]
    spans = [_span(field, one) for one in values if isinstance(one, Mapping)]
    others = [one for one in values if not isinstance(one, Mapping)]
    return _values(field, others) if others or not values else (), tuple(spans)


def _span(field: str, bounds: Mapping[Any, Any]) -> Span:
    if not bounds:
        raise BadFilter(f"filters.{field}: the range is empty; use one or more of {', '.join(RANGE_OPERATORS)}")
    for operator, bound in bounds.items():
        if operator not in RANGE_OPERATORS:
            raise BadFilter(f"filters.{field}: unknown operator {brief(operator)}; use {', '.join(RANGE_OPERATORS)}")
        if not (_is_number(bound) or (isinstance(bound, str) and period_of(bound) is not None)):
            error = NoRange if isinstance(bound, str) else BadFilter
            raise error(f"filters.{field}.{operator}: {brief(bound)} is not a number, nor a date in ISO 8601")
    return Span(tuple(bounds.items()))


def _values(field: str, given: object) -> tuple[str, ...]:
    values = given if isinstance(given, list | tuple) else [given]
    if not values:
        raise BadFilter(f"filters.{field}: the list is empty, it names no values; give one or leave the field out")
    return tuple(_as_text(field, one) for one in values)


def _as_text(field: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and _is_number(value):
        return format_number(value) if isinstance(value, float) else str(value)
    raise BadFilter(
        f'filters.{field}: {brief(value)} is no value; give texts, numbers, or a range such as {{"gte": 10}}'
    )


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and -MAX_NUMBER <= value <= MAX_NUMBER


def _is_number_or_date(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None or period_of(text) is not None


def _ends_of_numbers(name: str, span: Span) -> Ends:
    ends = tuple((operator, _number(end) if span.written else end) for operator, end in span.ends)
    if not ends or not all(_is_number(end) for _, end in ends):
        raise NoRange(f"{_place(name, span)} is no range of numbers, which {name} holds; {_ADVICE['number']}")
    return tuple((operator, float(end)) for operator, end in ends)


def _number(text: object) -> float:
    return float(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else float("nan")


def _ends_of_dates(name: str, span: Span) -> Ends:
    """The ends as moments: what lies after a period begins with the first moment after it, and a time is one moment."""
    ends = []
    for operator, end in span.ends:
        period = period_of(end) if isinstance(end, str) else None
        if period is None:
            break
        start, after = period
        if start == after or operator in ("gte", "lt"):
            ends.append((operator, start))
        else:
            ends.append(("lt" if operator == "lte" else "gte", after))
    if not span.ends or len(ends) < len(span.ends):
        raise NoRange(f"{_place(name, span)} is no range of dates, which {name} holds; {_ADVICE['date']}")
    return tuple(ends)


_ADVICE = {
    "number": 'write 10..50, 10.. or ..50, or {"gte": 10}; quotes keep a value from being a range',
    "date": 'write 2026-01-31..2026-02-28 or {"gte": "2026-01-31T10:00:00Z"}, with %2B for + in an address; '
    "quotes keep a value from being a range",
}


def _place(name: str, span: Span) -> str:
    if span.written:
        return f"filter: {name}:{brief(span.written)}"
    return f"filters.{name}: {brief(dict(span.ends))}"
