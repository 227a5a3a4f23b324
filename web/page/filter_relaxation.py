"""Filter relaxation: for filters that leave no result, the searches with one filter less, or with none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.web.page.cards import field_label
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

_MOST_FILTERS, _MOST_PARTS = 3, 2  # that are left out for a try, each of which costs as much as half a search


@dataclass(frozen=True)
class WiderSearch:
    """A search with fewer filters: its label, its address, and how many items match."""

    label: str
    url: str
    total: int


def relax_filters(
    engine: SearchEngine, state: PageState, request: SearchRequest, read: Sequence[str], text: Text
) -> list[WiderSearch]:
    """The searches with one filter less that find something, the most matches first; else the one without filters.

    `read` are the parts of the words that narrow the answer; the words without one of them are a search as well.
    """
    wider = [
        (text("without_filter", filter=field_label(name, text)), state.without_field(name)) for name in state.filters
    ][:_MOST_FILTERS]
    wider += [
        (text("without_part", part=part), state.but(q=" ".join(state.q.replace(part, " ").split())))
        for part in read[:_MOST_PARTS]
    ]
    tried = [replace(request, filters=other.filters, text=other.q) for _, other in wider]
    *totals, of_all = engine.totals([*tried, replace(request, filters={})])
    found = [WiderSearch(label, other.url, total) for (label, other), total in zip(wider, totals, strict=True) if total]
    if not found and of_all and len(wider) > 1 and state.filters:
        return [WiderSearch(text("without_filters"), state.but(filters={}).url, of_all)]
    return sorted(found, key=lambda one: -one.total)
