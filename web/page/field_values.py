"""Prepares the page of all values of a field: links that choose a value, a field to search within, and pages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from magpie.indexer.indexes.field_filter import FieldFilter
from magpie.search.request import FacetValue
from magpie.web.addresses import values_url
from magpie.web.page.cards import field_label
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

VALUES_A_PAGE = 120


@dataclass(frozen=True)
class FieldValues:
    """What the template shows: values with their counts and addresses, and the addresses of the pages beside."""

    field: str
    label: str
    prefix: str
    total: int
    values: list[tuple[str, int, str]]
    keep: list[tuple[str, str]]
    back_url: str
    previous_url: str
    next_url: str


def without_own_values(state: PageState, field: str) -> PageState:
    """The state with the field's other values on offer: without what it is filtered by, but with what it excludes."""
    own = state.filters.get(field, FieldFilter())
    return state.with_filter(field, replace(own, values=(), spans=()))


def field_values(
    state: PageState, field: str, prefix: str, found: Sequence[FacetValue], start: int, text: Text
) -> FieldValues:
    """The page that begins with value number `start`, from 0, of all that were found."""
    keep = [pair for pair in state.parameters() if pair[0] != "page"]
    chosen = {value.casefold() for value in state.filters.get(field, FieldFilter()).values}

    def page_url(at: int) -> str:
        asked = [("field", field), *([("prefix", prefix)] if prefix else []), *([("start", str(at))] if at else [])]
        return values_url([*asked, *keep])

    return FieldValues(
        field=field,
        label=field_label(field, text),
        prefix=prefix,
        total=len(found),
        values=[
            (
                one.value,
                one.count,
                (state if one.value.casefold() in chosen else state.with_value(field, one.value)).url,
            )
            for one in found[start : start + VALUES_A_PAGE]
        ],
        keep=keep,
        back_url=state.url,
        previous_url=page_url(max(0, start - VALUES_A_PAGE)) if start else "",
        next_url=page_url(start + VALUES_A_PAGE) if start + VALUES_A_PAGE < len(found) else "",
    )
