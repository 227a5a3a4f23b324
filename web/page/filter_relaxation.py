"""Filter relaxation: for filters that leave no result, the searches with one filter less, or with none."""

from dataclasses import dataclass

from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.web.page.cards import field_label
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

_MOST = 3  # filters that are left out for a try; each takes up to half as long as a usual search


@dataclass(frozen=True)
class WiderSearch:
    """A search with fewer filters: its label, its address, and how many items match."""

    label: str
    url: str
    total: int


def relax_filters(engine: SearchEngine, state: PageState, request: SearchRequest, text: Text) -> list[WiderSearch]:
    """The searches with one filter less that find something, the most matches first; else the one without filters."""
    wider = [
        (text("without_filter", filter=field_label(name, text)), state.without_field(name)) for name in state.filters
    ]
    wider = wider[:_MOST]
    asked = [other.filters for _, other in wider] + ([{}] if len(state.filters) > 1 else [])
    totals = engine.totals(request, asked)
    found = [
        WiderSearch(label, other.url, total) for (label, other), total in zip(wider, totals, strict=False) if total
    ]
    if not found and len(state.filters) > 1 and totals[-1]:
        return [WiderSearch(text("without_filters"), state.but(filters={}).url, totals[-1])]
    return sorted(found, key=lambda one: -one.total)
