"""Parses filters from JSON and from addresses into the engine's filters, and formats them for addresses."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from magpie.data.errors import BadFilter, NotTogether, brief
from magpie.indexer.indexes.field_filter import FieldFilter, FilterValue, Span, read_filter, written_span

FIELD_AND_VALUE = r"^(?:[^:\\]|\\[\s\S])+:[\s\S]*$"  # for documents; `parse_filter_parameters` reads it
MAX_FIELDS = 50
MAX_VALUES = 1_000  # of all fields together
MAX_FILTER_CHARS = 1_000  # of a value, and of a field's name
MAX_ALL_CHARS = 50_000  # of all values together


def parse_filters(raw: object) -> dict[str, FieldFilter]:
    """Filters as the engine takes them, from decoded JSON. Raises BadFilter with the field and the remedy."""
    if not isinstance(raw, Mapping):
        raise BadFilter(
            f'filters: give an object such as {{"colour": ["Red"], "price": {{"gte": 10}}}}, not {brief(raw)}'
        )
    _check_size(len(raw), sum(map(_num_values, raw.values())))
    for field in raw:
        _check_texts(str(field))
    filters = {str(field): read_filter(str(field), value) for field, value in raw.items()}
    _check_all_texts(filters)
    return filters


def _num_values(given: object) -> int:
    if isinstance(given, Mapping):
        return len(given) + _num_values(given.get("not", []))
    return sum(map(_num_values, given)) if isinstance(given, list) else 1


def _check_all_texts(filters: Mapping[str, FieldFilter]) -> None:
    chars = 0
    for field, wanted in filters.items():
        spans = [span.written for span in (*wanted.spans, *wanted.not_spans)]
        for text in (*wanted.values, *wanted.not_values, *spans):
            _check_texts(field, text)
            chars += len(text)
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


def parse_filter_parameters(parameters: list[str]) -> dict[str, FieldFilter]:
    """Filters from addresses: `colour:Red` (repeatable, or-ed in a field), `price:10..50` (either end may be open),
    `colour:*` (any value), and with a leading `-` what is excluded.

    A backslash keeps a colon, or a leading minus, inside a field's name; quotes around the value keep it a value.
    Raises BadFilter, and NotTogether where a field is asked to be there and not to be there.
    """
    found: dict[str, FieldFilter] = {}
    _check_size(0, len(parameters))
    for parameter in parameters:
        field, value, is_excluding = _split_field(parameter)
        if not field:
            raise BadFilter(f"filter: {brief(parameter)} lacks a field; write filter=colour:Red or filter=price:10..50")
        _check_texts(field, value)
        found[field] = _with(field, found.get(field, FieldFilter()), value, is_excluding)
    _check_size(len(found), 0)
    _check_all_texts(found)
    return found


def _with(field: str, so_far: FieldFilter, value: str, is_excluding: bool) -> FieldFilter:
    """The filter of a field with one more value as an address writes it."""
    if value == "*":
        if so_far.exists is is_excluding:
            raise NotTogether(f"filter: {field} is asked to have a value and to have none; leave one of them out")
        return replace(so_far, exists=not is_excluding)
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    span = None if is_quoted else written_span(value)
    spans = () if span is None else (span,)
    values = () if spans else (value[1:-1] if is_quoted else value,)
    if is_excluding:
        return replace(so_far, not_values=so_far.not_values + values, not_spans=so_far.not_spans + spans)
    return replace(so_far, values=so_far.values + values, spans=so_far.spans + spans)


def format_filter_parameters(filters: Mapping[str, FilterValue]) -> list[str]:
    """The inverse of `parse_filter_parameters`, for links; exclusive bounds are written as inclusive ones."""
    written = []
    for field, given in filters.items():
        wanted = read_filter(field, given)
        name = field.replace("\\", "\\\\").replace(":", "\\:")
        name = "\\" + name if name.startswith("-") else name
        written += [f"{name}:{one}" for one in _formatted(wanted.values, wanted.spans)]
        written += [f"-{name}:{one}" for one in _formatted(wanted.not_values, wanted.not_spans)]
        if wanted.exists is not None:
            written.append(f"{name}:*" if wanted.exists else f"-{name}:*")
    return written


def _formatted(values: Iterable[str], spans: Iterable[Span]) -> list[str]:
    return [*map(format_value, values), *map(format_span, spans)]


def format_value(value: str) -> str:
    """The value as an address writes it: in quotes where it could be read as something else."""
    is_ambiguous = ".." in value or value == "*" or (len(value) > 1 and value[0] == value[-1] == '"')
    return f'"{value}"' if is_ambiguous else value


def format_span(span: Span) -> str:
    """The range as an address writes it."""
    return span.written or "..".join(range_ends(span))


def range_ends(span: Span) -> tuple[str, str]:
    """Both ends of a range as text, "" for an open end; exclusive ones as inclusive."""
    ends = dict(span.ends)
    return _end(ends.get("gte", ends.get("gt"))), _end(ends.get("lte", ends.get("lt")))


def _end(bound: float | str | None) -> str:
    return bound if isinstance(bound, str) else format_number(bound)


def format_number(value: float | None) -> str:
    """A finite number without useless zeros and without an exponent: 10.0 is "10", 1e-7 "0.0000001"; None is ""."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else f"{Decimal(repr(float(value))):f}"


def _split_field(parameter: str) -> tuple[str, str, bool]:
    """The field, "" where no colon follows one, the value, and whether a leading minus excludes it."""
    is_excluding = parameter.startswith("-") and not parameter.startswith("-:")
    name = []
    characters = iter(enumerate(parameter))
    for at, character in characters:
        if character == "\\":
            name.append(next(characters, (0, ""))[1])
        elif character == ":":
            return "".join(name[is_excluding:]), parameter[at + 1 :], is_excluding
        else:
            name.append(character)
    return "", "", False
