"""Filter relaxation: for filters that leave no result, the searches with one filter less, or with none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.web.page.cards import field_label
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

_MOST = 5


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
    ]
    wider += [
        (text("without_part", part=part), state.but(q=" ".join(state.q.replace(part, " ").split()))) for part in read
    ]
    found = [
        WiderSearch(label, other.url, total)
        for label, other in wider[:_MOST]
        if (total := _count(engine, replace(request, filters=other.filters, text=other.q)))
    ]
    found.sort(key=lambda one: -one.total)
    if len(wider) == 1 or found or not state.filters:
        return found
    total = _count(engine, replace(request, filters={}))
    return [WiderSearch(text("without_filters"), state.but(filters={}).url, total)] if total else []


def _count(engine: SearchEngine, request: SearchRequest) -> int:
    """How many items match, 0 without a confident answer."""
    result = engine.search(replace(request, k=1, facets=False, client_id="", session_id=""))
    return result.total if result.confident else 0
