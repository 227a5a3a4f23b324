"""Prepares facets for the template: links for values with their counts, forms for ranges with histograms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from magpie.data.catalogue.instants import format_instant, period_of
from magpie.indexer.indexes.attribute_columns import FACET_VALUES
from magpie.indexer.indexes.column_types import to_number
from magpie.indexer.indexes.field_filter import FieldFilter
from magpie.search.request import FacetValue, Range, SearchResult
from magpie.search.retrieval.facet_use import range_use, useful_fields
from magpie.web.addresses import values_url
from magpie.web.api.filter_notation import format_number, range_ends
from magpie.web.page.cards import field_label
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

MAX_GROUPS = 10
VALUES_SHOWN = 6
MAX_VALUES = 60
MAX_RANGES = 5
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 240, 40  # units of the drawing
_GAP = 1.5
_TRUTH = {"true", "false"}
_LEAST = 2.0  # height of the lowest bar, so that it is visible


@dataclass(frozen=True)
class FacetLink:
    """One value of a facet, and the address that selects or deselects it."""

    label: str
    count: int | None
    url: str
    is_selected: bool
    key: str


@dataclass(frozen=True)
class FacetGroup:
    """The values of one field; `all_url` is the page of all its values where there are more than can be listed."""

    field: str
    label: str
    links: list[FacetLink]
    all_url: str = ""

    @property
    def first(self) -> list[FacetLink]:
        """The values that are visible at first: the selected, then the most frequent."""
        return self.links[:VALUES_SHOWN]

    @property
    def rest(self) -> list[FacetLink]:
        """The values behind "show all"."""
        return self.links[VALUES_SHOWN:]


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram, in units of the drawing; `is_inside` if the selected range contains it."""

    x: float
    y: float
    width: float
    height: float
    is_inside: bool


@dataclass(frozen=True)
class RangeForm:
    """The form of a range of numbers or dates: its selected and its possible ends, and the parameters to keep.

    `input_type` is that of the fields in HTML: "number", "date" where all ends are days, "text" where some are times.
    The slider moves over the indexes of `edges`; `low_at` and `high_at` are the handles' indexes.
    """

    field: str
    label: str
    input_type: str
    low: str
    high: str
    minimum: str
    maximum: str
    keep: list[tuple[str, str]]
    bars: list[Bar]
    edges: list[str]
    low_at: int
    high_at: int


def facet_groups(state: PageState, result: SearchResult, is_confident: bool, text: Text) -> list[FacetGroup]:
    """The facets to show: those worth having, the category first, then by use; every field with a selected value.

    A field of numbers or dates is shown as a range instead, unless one of its values is selected.
    """
    groups = []
    asked = [pair for pair in state.parameters() if pair[0] != "page"]
    facets: Mapping[str, Sequence[FacetValue]] = result.facets if is_confident else {}
    wanted = {name: wanted.values for name, wanted in state.filters.items() if wanted.values}
    names = [*facets, *(name for name in wanted if name not in facets)]
    useful = useful_fields(facets, result.total)
    place = {name: n for n, name in enumerate(useful)}
    for name in sorted(names, key=lambda name: (name not in wanted, name != "category", place.get(name, len(place)))):
        found = {value.value: value.count for value in facets.get(name, [])}
        selected = wanted.get(name, ())
        spelt = {value.casefold(): value for value in found}  # the engine ignores case
        chosen = {spelt.get(value.casefold(), value): value for value in selected}
        if not selected and (name not in place or name in result.ranges):
            continue
        values = [*chosen, *(value for value in found if value not in chosen)][:MAX_VALUES]
        links = [_facet_link(state, name, value, found.get(value), chosen.get(value)) for value in values]
        if {value.casefold() for value in values} <= _TRUTH:
            links = [replace(link, label=text("yes" if link.label.casefold() == "true" else "no")) for link in links]
        all_url = values_url([("field", name), *asked]) if len(found) >= FACET_VALUES else ""
        groups.append(FacetGroup(name, field_label(name, text), links, all_url))
    return groups[:MAX_GROUPS]


def range_forms(state: PageState, result: SearchResult, is_confident: bool, text: Text) -> list[RangeForm]:
    """The ranges to show, price first: those with two different ends, and every selected one."""
    ranges = result.ranges if is_confident else {}
    chosen = {name: range_ends(wanted.spans[0]) for name, wanted in state.filters.items() if wanted.spans}
    names = [*ranges, *(name for name in chosen if name not in ranges)]
    names.sort(key=lambda name: -range_use(name, ranges[name], result.total) if name in ranges else 0.0)
    forms = [
        _range_form(state, name, ranges.get(name), chosen.get(name, ("", "")), text)
        for name in names
        if name in chosen or range_use(name, ranges[name], result.total) > 0
    ]
    forms.sort(key=lambda form: (form.field != "price", form.field not in chosen))
    return forms[:MAX_RANGES]


def _facet_link(state: PageState, name: str, value: str, count: int | None, selected: str | None) -> FacetLink:
    """The link of one value; `selected` is its spelling in the state, None if it is not selected."""
    target = state.with_value(name, value) if selected is None else state.without_value(name, selected)
    return FacetLink(value, count, target.url, selected is not None, f"{name}:{value}")


def _range_form(state: PageState, name: str, span: Range | None, ends: tuple[str, str], text: Text) -> RangeForm:
    low, high = ends
    others = replace(state.filters.get(name, FieldFilter()), values=(), spans=())
    is_dates = span.is_dates if span else any(period_of(end) for end in ends)
    write = format_instant if is_dates else format_number
    edges = span.spread.edges if span else ()
    least, greatest = (write(span.minimum), write(span.maximum)) if span else ("", "")
    start, stop = (_place(end, is_dates, at) for at, end in enumerate(ends))
    low_at = max((at for at, edge in enumerate(edges) if start is not None and edge <= start), default=0)
    high_at = min((at for at, edge in enumerate(edges) if stop is not None and edge >= stop), default=len(edges) - 1)
    written = [write(edge) for edge in edges]
    is_days = all(len(end) == len("2026-01-31") for end in (low, high, *written) if end)
    return RangeForm(
        field=name,
        label=field_label(name, text),
        input_type=("date" if is_days else "text") if is_dates else "number",
        low=low,
        high=high,
        minimum=least,
        maximum=greatest,
        keep=[pair for pair in state.with_filter(name, others).parameters() if pair[0] != "page"],
        bars=_bars(span.spread.counts, low_at, high_at) if span else [],
        edges=written,
        low_at=low_at,
        high_at=high_at,
    )


def _place(end: str, is_dates: bool, at: int) -> float | None:
    """The end of a range, its first (`at` 0) or last, as a number among the edges; None for an open one."""
    if is_dates:
        period = period_of(end)
        return period[at] if period else None
    number = to_number(end)
    return None if math.isnan(number) else number


def _bars(counts: Sequence[int], low_at: int, high_at: int) -> list[Bar]:
    """The bars; heights follow the square root of the counts, so that single items stay visible beside many."""
    most = max(counts, default=0) ** 0.5
    places = [HISTOGRAM_WIDTH * at / max(1, len(counts)) for at in range(len(counts) + 1)]
    bars = []
    for at, ((left, right), count) in enumerate(zip(pairwise(places), counts, strict=True)):
        if count:
            height = max(_LEAST, HISTOGRAM_HEIGHT * count**0.5 / most)
            is_inside = low_at <= at < high_at
            top, width = round(HISTOGRAM_HEIGHT - height, 1), round(right - left - _GAP, 1)
            bars.append(Bar(round(left, 1), top, width, height, is_inside))
    return bars
