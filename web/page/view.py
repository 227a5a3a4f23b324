"""Prepares the search page for its template: cards, facets, chips, headline and links."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from magpie.data.catalogue.catalogue import Item
from magpie.indexer.indexes.field_filter import FieldFilter, read_filter
from magpie.search.request import SearchResult, Understood
from magpie.search.retrieval.facet_use import useful_fields
from magpie.web.addresses import picture_url, upload_url
from magpie.web.api.filter_notation import range_ends
from magpie.web.page.cards import Card, card_of, field_label
from magpie.web.page.category_tree import CategoryTree, category_tree
from magpie.web.page.facets import FacetGroup, RangeForm, facet_groups, range_forms
from magpie.web.page.filter_relaxation import WiderSearch
from magpie.web.page.start_page_rows import CardRow
from magpie.web.page.state import MAX_PAGES, PAGE_SIZE, PageState
from magpie.web.page.texts import Text
from magpie.web.shared.uploads import Upload

SORTS = ("relevance", "newest", "price", "-price", "title")
NEAREST_SHOWN = 10
MAX_CHIPS = 20


@dataclass(frozen=True)
class Found:
    """A search result with what else the page shows: the item or picture searched with, wider searches, rows."""

    result: SearchResult
    liked: Item | None = None
    upload: Upload | None = None
    wider: Sequence[WiderSearch] = ()
    rows: Sequence[CardRow] = ()


@dataclass(frozen=True)
class Chip:
    """One active filter or input of the search, and the address without it."""

    label: str
    url: str
    remove_label: str
    image: str = ""


@dataclass(frozen=True)
class PageView:
    """All values of the results' template."""

    state: PageState
    found: Found
    headline: str
    count: str
    is_confident: bool
    cards: list[Card]
    tree: CategoryTree | None
    groups: list[FacetGroup]
    ranges: list[RangeForm]
    read: list[Chip]
    chips: list[Chip]
    context: list[Chip]
    sorts: list[tuple[str, str]]
    more_url: str
    num_to_come: int
    shown: str
    corrected_url: str
    meant_url: str
    exact_url: str


def view_results(state: PageState, found: Found, text: Text) -> PageView:
    """The page for one search result."""
    result = found.result
    is_confident = result.confident and bool(result.hits)
    hits = result.hits if is_confident else result.hits[:NEAREST_SHOWN]
    # without a confident answer only selected filters are shown, so that they can be removed
    has_filters = is_confident or bool(state.filters)
    has_more = is_confident and len(result.hits) < result.total and state.page < MAX_PAGES
    useful = useful_fields(result.facets, result.total)
    tree = category_tree(state, result.categories, text) if is_confident else None
    groups = facet_groups(state, result, is_confident, text) if has_filters else []
    return PageView(
        state=state,
        found=found,
        headline=_headline(state, found.liked, text) if is_confident else _no_headline(state, text),
        count=count_label(result.total if is_confident else 0, text),
        is_confident=is_confident,
        cards=[card_of(hit, useful) for hit in hits],
        tree=tree,
        groups=[group for group in groups if not tree or group.field != "category"],
        ranges=range_forms(state, result, is_confident, text) if has_filters else [],
        read=_read_chips(state, result, text),
        chips=_chips(state, text),
        context=_context(state, found.liked, text),
        sorts=_sorts(state, result, text),
        more_url=state.but(page=state.page + 1).url if has_more else "",
        num_to_come=min(PAGE_SIZE, result.total - len(hits)),
        shown=text("shown_of", shown=f"{len(hits):,}", total=f"{result.total:,}") if result.total > PAGE_SIZE else "",
        corrected_url=state.but(q=result.corrected).url if result.corrected else "",
        meant_url=state.but(q=result.did_you_mean).url if result.did_you_mean else "",
        exact_url=state.but(exact=True).url,
    )


def count_label(total: int, text: Text) -> str:
    """How many results there are, in words."""
    if total == 0:
        return text("count_none")
    return text("count_one") if total == 1 else text("count_many", n=f"{total:,}")


def _headline(state: PageState, liked: Item | None, text: Text) -> str:
    if state.is_composing:
        own = text("crop_headline") if state.crop else text("picture_headline")
        about = text("like_headline", title=liked.title or liked.item_id) if liked else own
        return text("with_words", headline=about, q=state.q) if state.q else about
    if state.q:
        return text("results_for", q=state.q)
    return text("results") if state.filters or state.sort != "relevance" else text("everything")


def _no_headline(state: PageState, text: Text) -> str:
    return text("nothing_q", q=state.q) if state.q else text("nothing")


def _chips(state: PageState, text: Text) -> list[Chip]:
    """A chip for each filter and exclusion; of more than 20 filters one for all, since each address holds them all."""
    labels = [] if state.is_browsing else [(text("chip_not", text=one), _without(state, one)) for one in state.avoided]
    if state.num_filters > MAX_CHIPS:
        labels.append((text("filters_active", n=state.num_filters), state.but(filters={}).url))
    else:
        for name, wanted in state.filters.items():
            labels += _filter_labels(state, name, wanted, text)
    return [Chip(label, url, text("remove_filter", filter=label)) for label, url in labels]


def _read_chips(state: PageState, result: SearchResult, text: Text) -> list[Chip]:
    """A chip for each part of the words that narrows or orders the answer; without it they are plain words."""
    labels: dict[str, str] = {}
    for one in result.understood:
        if label := understood_label(one, text):
            labels.setdefault(one.text, label)
    return [
        Chip(label, state.but(literal=(*state.literal, part)).url, text("remove_read", part=part))
        for part, label in labels.items()
    ]


def narrowing_parts(result: SearchResult) -> list[str]:
    """The parts of the words that leave items out."""
    kinds = ("phrase", "exclusion", "price", "measure")
    return list(dict.fromkeys(one.text for one in result.understood if one.kind in kinds))


def understood_label(one: Understood, text: Text) -> str:
    """What a part of the words was read as, for people; "" for what neither narrows nor orders."""
    if one.kind == "phrase":
        return text("chip_phrase", text=", ".join(one.words))
    if one.kind == "exclusion":
        return text("chip_not", text=", ".join(one.words))
    if one.kind == "preference":
        return text("chip_cheap")
    if not one.filter:
        return ""
    wanted = read_filter(one.field, one.filter)
    values = [*wanted.values, *(_range_label(*range_ends(span), text) for span in wanted.spans)]
    return f"{field_label(one.field, text)}: {', '.join(values)}"


def _filter_labels(state: PageState, name: str, wanted: FieldFilter, text: Text) -> list[tuple[str, str]]:
    """For each thing that the filter asks of a field its label, and the address without it."""

    def without(**changes: Any) -> str:
        return state.with_filter(name, replace(wanted, **changes)).url

    field = field_label(name, text)
    labels = [(f"{field}: {one}", state.without_value(name, one).url) for one in wanted.values]
    labels += [(f"{field}: {_range_label(*range_ends(span), text)}", without(spans=())) for span in wanted.spans]
    for one in wanted.not_values:
        rest = tuple(other for other in wanted.not_values if other != one)
        labels.append((text("chip_not", text=f"{field}: {one}"), without(not_values=rest)))
    for span in wanted.not_spans:
        label = text("chip_not", text=f"{field}: {_range_label(*range_ends(span), text)}")
        labels.append((label, without(not_spans=tuple(other for other in wanted.not_spans if other != span))))
    if wanted.exists is not None:
        labels.append((text("chip_any" if wanted.exists else "chip_none", field=field), without(exists=None)))
    return labels


def _range_label(low: str, high: str, text: Text) -> str:
    if low and high:
        return f"{low} – {high}"
    return text("range_from", low=low) if low else text("range_to", high=high)


def _without(state: PageState, avoided: str) -> str:
    return state.but(avoided=tuple(one for one in state.avoided if one != avoided)).url


def _context(state: PageState, liked: Item | None, text: Text) -> list[Chip]:
    """A chip for the picture or item that is searched with."""
    context = []
    if state.picture:
        without = state.but(picture="", crop=None, weight=None).url
        context.append(Chip(text("chip_picture"), without, text("remove_picture"), upload_url(state.picture)))
    if liked:
        good = [picture for picture in liked.pictures if picture.status == "ok"]
        image = picture_url(liked.item_id, good[0].content_hash) + "&w=160" if good else ""
        label = text("chip_like", title=liked.title or liked.item_id)
        context.append(Chip(label, state.but(like="", weight=None).url, text("remove_like"), image))
    return context


def _sorts(state: PageState, result: SearchResult, text: Text) -> list[tuple[str, str]]:
    """The sort orders offered, by price only if there are prices."""
    has_prices = "price" in result.ranges or any(hit.price is not None for hit in result.hits)
    offered = [name for name in SORTS if has_prices or "price" not in name]
    sorts = [
        (name, text("sort_browse" if name == "relevance" and state.is_browsing else f"sort_{name}")) for name in offered
    ]
    return sorts if state.sort in offered else [*sorts, (state.sort, field_label(state.sort.lstrip("-"), text))]
