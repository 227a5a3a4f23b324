"""Parses filters from JSON and from addresses into the engine's filters, and formats them for addresses."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from magpie.data.catalogue.items import MAX_NUMBER
from magpie.data.errors import BadFilter, NotTogether
from magpie.search.request import RANGE_OPERATORS, FilterValue

FIELD_AND_VALUE = r"^(?:[^:\\]|\\[\s\S])+:[\s\S]*$"  # for documents; `parse_filter_parameters` reads it
MAX_FIELDS = 50
MAX_VALUES = 1_000  # of all fields together
MAX_FILTER_CHARS = 1_000  # of a value, and of a field's name
MAX_ALL_CHARS = 50_000  # of all values together
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?")


def parse_filters(raw: object) -> dict[str, FilterValue]:
    """Filters as the engine takes them, from decoded JSON. Raises BadFilter with the field and the remedy."""
    if not isinstance(raw, Mapping):
        raise BadFilter(
            f'filters: give an object such as {{"colour": ["Red"], "price": {{"gte": 10}}}}, not {brief(raw)}'
        )
    _check_size(len(raw), sum(len(value) for value in raw.values() if isinstance(value, list)))
    filters = {str(field): _parse_filter(str(field), value) for field, value in raw.items()}
    _check_all_texts(filters)
    return filters


def _check_all_texts(filters: Mapping[str, FilterValue]) -> None:
    chars = sum(len(one) for values in filters.values() if isinstance(values, list) for one in values)
    if chars > MAX_ALL_CHARS:
        raise BadFilter(f"filters: the values have {chars:,} characters; at most {MAX_ALL_CHARS:,} are taken together")


def _check_size(fields: int, values: int) -> None:
    if fields > MAX_FIELDS:
        raise BadFilter(f"filters: {fields:,} fields are named; at most {MAX_FIELDS} are taken")
    if values > MAX_VALUES:
        raise BadFilter(
            f"filters: {values:,} values are named; at most {MAX_VALUES:,} are taken, of all fields together"
        )


def _check_texts(field: str, value: str = "") -> None:
    if max(len(field), len(value)) > MAX_FILTER_CHARS:
        longer = brief(field if len(field) > MAX_FILTER_CHARS else value)
        raise BadFilter(f"filters: {longer} is longer than {MAX_FILTER_CHARS:,} characters")


def _parse_filter(field: str, value: object) -> FilterValue:
    _check_texts(field)
    if isinstance(value, Mapping):
        return _parse_range(field, value)
    values = value if isinstance(value, list) else [value]
    if not values:
        raise BadFilter(f"filters.{field}: the list is empty; name at least one value or leave the field out")
    return [_as_text(field, one) for one in values]


def _parse_range(field: str, value: Mapping[Any, Any]) -> dict[str, float]:
    known = ", ".join(RANGE_OPERATORS)
    if not value:
        raise BadFilter(f"filters.{field}: the range is empty; use one or more of {known}")
    for operator, bound in value.items():
        if operator not in RANGE_OPERATORS:
            raise BadFilter(f"filters.{field}: unknown operator {brief(operator)}; use {known}")
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not -MAX_NUMBER <= bound <= MAX_NUMBER:
            raise BadFilter(f"filters.{field}.{operator}: {brief(bound)} is not a number")
    return {str(operator): float(bound) for operator, bound in value.items()}


def _as_text(field: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        _check_texts(field, value)
        return value
    if isinstance(value, int | float) and -MAX_NUMBER <= value <= MAX_NUMBER:
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
    raise BadFilter(
        f'filters.{field}: {brief(value)} is no value; give texts, numbers, or a range such as {{"gte": 10}}'
    )


def parse_filter_parameters(parameters: list[str]) -> dict[str, FilterValue]:
    """Filters from addresses: `colour:Red` (repeatable, or-ed in a field) or `price:10..50` (either end may be open).

    A backslash keeps a colon inside a field's name; quotes around the value keep it from being read as a range.
    """
    filters: dict[str, FilterValue] = {}
    _check_size(0, len(parameters))
    for parameter in parameters:
        field, colon, value = _split_field(parameter)
        if not colon or not field:
            raise BadFilter(f"filter: {brief(parameter)} lacks a field; write filter=colour:Red or filter=price:10..50")
        _check_texts(field, value)
        bounds = _RANGE.fullmatch(value)
        present = filters.get(field)
        if bounds and any(bounds.groups()):
            if present is not None:
                raise NotTogether(f"filter: {field} is given a range and something else; give one range, or values")
            low, high = bounds.groups()
            given = {name: float(bound) for name, bound in (("gte", low), ("lte", high)) if bound is not None}
            filters[field] = _parse_range(field, given)
            continue
        if present is None:
            present = filters[field] = []
        if not isinstance(present, list):
            raise NotTogether(f"filter: {field} is given a range and something else; give one range, or values")
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        present.append(value[1:-1] if quoted else value)
    _check_size(len(filters), 0)
    _check_all_texts(filters)
    return filters


def format_filter_parameters(filters: Mapping[str, FilterValue]) -> list[str]:
    """The inverse of `parse_filter_parameters`, for links; exclusive bounds are written as inclusive ones."""
    written = []
    for field, value in filters.items():
        name = field.replace("\\", "\\\\").replace(":", "\\:")
        if isinstance(value, list):
            ambiguous = [_RANGE.fullmatch(one) or (one[:1] == one[-1:] == '"' and len(one) > 1) for one in value]
            written += [
                f'{name}:"{one}"' if odd else f"{name}:{one}" for one, odd in zip(value, ambiguous, strict=True)
            ]
        else:
            low, high = value.get("gte", value.get("gt")), value.get("lte", value.get("lt"))
            written.append(f"{name}:{format_number(low)}..{format_number(high)}")
    return written


def format_number(value: float | None) -> str:
    """A finite number without useless zeros and without an exponent: 10.0 is "10", 1e-7 "0.0000001"; None is ""."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else f"{Decimal(repr(float(value))):f}"


def _split_field(parameter: str) -> tuple[str, str, str]:
    name = []
    characters = iter(enumerate(parameter))
    for at, character in characters:
        if character == "\\":
            name.append(next(characters, (0, ""))[1])
        elif character == ":":
            return "".join(name), ":", parameter[at + 1 :]
        else:
            name.append(character)
    return parameter, "", ""


def brief(value: object) -> str:
    """The value, shortened for an error message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
