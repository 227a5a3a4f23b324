"""What the search page shows, worked out before the template: cards, facets, chips, headlines and their links."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from data.catalogue import Item
from data.items import Value
from search.request import FacetValue, FilterValue, Hit, Range, SearchResult
from web.filter_notation import format_number
from web.page_state import MAX_PAGES, PAGE_SIZE, PageState
from web.pictures import picture_url

Text = Callable[..., str]

SORTS = ("relevance", "newest", "price", "-price", "title")
MAX_GROUPS = 10
VALUES_SHOWN = 6
MAX_VALUES = 60
MAX_RANGES = 5
NEAREST_SHOWN = 10
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "CNY": "¥", "KRW": "₩"}


@dataclass(frozen=True)
class Card:
    """One hit in the grid."""

    item_id: str
    position: int
    title: str
    price: str
    notes: str
    url: str
    like_url: str
    image: str
    image_set: str


@dataclass(frozen=True)
class FacetLink:
    """One value of a facet, and where choosing (or unchoosing) it leads."""

    label: str
    count: int | None
    url: str
    is_selected: bool
    key: str


@dataclass(frozen=True)
class FacetGroup:
    """All shown values of one field."""

    label: str
    links: list[FacetLink]

    @property
    def first(self) -> list[FacetLink]:
        """The values shown at once: those selected, and the most frequent."""
        return self.links[:VALUES_SHOWN]

    @property
    def rest(self) -> list[FacetLink]:
        """The values behind "show all"."""
        return self.links[VALUES_SHOWN:]


@dataclass(frozen=True)
class RangeForm:
    """The two ends of a number, as chosen and as possible, and the rest of the state to keep."""

    field: str
    label: str
    low: str
    high: str
    minimum: str
    maximum: str
    keep: list[tuple[str, str]]


@dataclass(frozen=True)
class Chip:
    """One active condition and the address without it."""

    label: str
    url: str
    remove_label: str
    image: str = ""


@dataclass(frozen=True)
class PageView:
    """All that the results' template needs."""

    state: PageState
    query_id: str
    headline: str
    count: str
    is_confident: bool
    cards: list[Card]
    groups: list[FacetGroup]
    ranges: list[RangeForm]
    chips: list[Chip]
    context: list[Chip]
    sorts: list[tuple[str, str]]
    more_url: str
    shown: str
    notices: Sequence[str]


def view_results(state: PageState, result: SearchResult, liked: Item | None, text: Text) -> PageView:
    """The page for one answer; `liked` is the item that the state asks to resemble."""
    is_confident = result.confident and bool(result.hits)
    hits = result.hits if is_confident else result.hits[:NEAREST_SHOWN]
    # the values of what does not match would be noise as well, but what was chosen must stay within reach
    has_filters = is_confident or bool(state.filters)
    has_more = is_confident and len(result.hits) < result.total and state.page < MAX_PAGES
    return PageView(
        state=state,
        query_id=result.query_id,
        headline=_headline(state, liked, text) if is_confident else _no_headline(state, text),
        count=_count(result.total if is_confident else 0, text),
        is_confident=is_confident,
        cards=[_card(hit) for hit in hits],
        groups=_groups(state, result.facets if is_confident else {}) if has_filters else [],
        ranges=_ranges(state, result.ranges if is_confident else {}) if has_filters else [],
        chips=_chips(state, text),
        context=_context(state, liked, text),
        sorts=_sorts(state, result, text),
        more_url=state.but(page=state.page + 1).url if has_more else "",
        shown=text("shown_of", shown=f"{len(hits):,}", total=f"{result.total:,}") if result.total > PAGE_SIZE else "",
        notices=result.notices,
    )


def field_label(name: str) -> str:
    """A field's name as people read it."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:] if words.islower() else words


def value_label(value: Value) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(value)
    return format_number(value) if isinstance(value, int | float) else value


def price_label(price: float | None, currency: str) -> str:
    """A price as people read it, "" when there is none."""
    if price is None:
        return ""
    amount = f"{price:,.0f}" if float(price).is_integer() else f"{price:,.2f}"
    symbol = _SYMBOLS.get(currency.upper())
    return f"{symbol}{amount}" if symbol else f"{currency} {amount}".strip()


def outward_url(url: str) -> str:
    """The item's own address when it is one that may be linked to, else ""."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def item_url(item_id: str) -> str:
    """The page of one item."""
    return "/item?" + urlencode({"id": item_id})


def _card(hit: Hit) -> Card:
    image = picture_url(hit.item_id, hit.image) if hit.image else ""
    return Card(
        item_id=hit.item_id,
        position=hit.position,
        title=hit.title or hit.item_id,
        price=price_label(hit.price, hit.currency),
        notes=_notes(hit.title, hit.category, hit.attributes),
        url=item_url(hit.item_id),
        like_url=PageState(like=hit.item_id).url,
        image=f"{image}&w=320" if image else "",
        image_set=f"{image}&w=320 320w, {image}&w=640 640w" if image else "",
    )


def _notes(title: str, category: str, attributes: Mapping[str, Value]) -> str:
    """Up to three short values that the title does not say already."""
    said = title.casefold()
    short: list[str] = []
    for value in attributes.values():
        if not isinstance(value, str) or not 2 <= len(value) <= 24 or value.startswith(("http:", "https:")):
            continue
        if value.casefold() not in said and value not in short:
            short.append(value)
    return " · ".join(short[:3]) or (category if len(category) <= 40 else "")


def _headline(state: PageState, liked: Item | None, text: Text) -> str:
    if state.like or state.picture:
        about = text("like_headline", title=liked.title or liked.item_id) if liked else text("picture_headline")
        return text("with_words", headline=about, q=state.q) if state.q else about
    if state.q:
        return text("results_for", q=state.q)
    return text("results") if state.filters or state.sort != "relevance" else text("everything")


def _no_headline(state: PageState, text: Text) -> str:
    return text("nothing_q", q=state.q) if state.q else text("nothing")


def _count(total: int, text: Text) -> str:
    if total == 0:
        return text("count_none")
    return text("count_one") if total == 1 else text("count_many", n=f"{total:,}")


def _groups(state: PageState, facets: Mapping[str, Sequence[FacetValue]]) -> list[FacetGroup]:
    """The facets worth showing; what is selected always is, even when the answer no longer has it."""
    groups = []
    wanted = {name: value for name, value in state.filters.items() if isinstance(value, list)}
    names = [*facets, *(name for name in wanted if name not in facets)]
    for name in sorted(names, key=lambda name: (name not in wanted, name != "category")):
        selected = wanted.get(name, [])
        found = {value.value: value.count for value in facets.get(name, [])}
        if len(found) < 2 and not selected:
            continue
        values = [*selected, *(value for value in found if value not in selected)][:MAX_VALUES]
        links = [_facet_link(state, name, value, found.get(value), value in selected) for value in values]
        groups.append(FacetGroup(field_label(name), links))
    return groups[:MAX_GROUPS]


def _facet_link(state: PageState, name: str, value: str, count: int | None, is_selected: bool) -> FacetLink:
    target = state.without_value(name, value) if is_selected else state.with_value(name, value)
    return FacetLink(value, count, target.url, is_selected, f"{name}:{value}")


def _ranges(state: PageState, ranges: Mapping[str, Range]) -> list[RangeForm]:
    forms = []
    chosen_ranges = {name: value for name, value in state.filters.items() if isinstance(value, Mapping)}
    for name in [*ranges, *(name for name in chosen_ranges if name not in ranges)]:
        span, chosen = ranges.get(name), chosen_ranges.get(name, {})
        if not chosen and (span is None or span.minimum == span.maximum):
            continue
        low, high = _ends(chosen)
        keep = [pair for pair in state.without_field(name).parameters() if pair[0] != "page"]
        minimum, maximum = (span.minimum, span.maximum) if span else (None, None)
        forms.append(
            RangeForm(name, field_label(name), low, high, format_number(minimum), format_number(maximum), keep)
        )
    forms.sort(key=lambda form: (form.field != "price", form.field not in chosen_ranges))
    return forms[:MAX_RANGES]


def _ends(chosen: FilterValue) -> tuple[str, str]:
    if isinstance(chosen, list):
        return "", ""
    return format_number(chosen.get("gte", chosen.get("gt"))), format_number(chosen.get("lte", chosen.get("lt")))


def _chips(state: PageState, text: Text) -> list[Chip]:
    """What narrows the answer."""
    chips = []
    if state.not_text:
        label = text("chip_not", text=state.not_text)
        chips.append(Chip(label, state.but(not_text="").url, text("remove_filter", filter=label)))
    for name, value in state.filters.items():
        if isinstance(value, list):
            labels = [(f"{field_label(name)}: {one}", state.without_value(name, one).url) for one in value]
        else:
            low, high = _ends(value)
            labels = [(f"{field_label(name)}: {low} – {high}".strip(" –"), state.without_field(name).url)]
        chips += [Chip(label, url, text("remove_filter", filter=label)) for label, url in labels]
    return chips


def _context(state: PageState, liked: Item | None, text: Text) -> list[Chip]:
    """What is searched with besides words."""
    context = []
    if state.picture:
        without = state.but(picture="").url
        context.append(Chip(text("chip_picture"), without, text("remove_picture"), f"/uploads/{state.picture}"))
    if liked:
        good = [picture for picture in liked.pictures if picture.status == "ok"]
        image = picture_url(liked.item_id, good[0].content_hash) + "&w=160" if good else ""
        label = text("chip_like", title=liked.title or liked.item_id)
        context.append(Chip(label, state.but(like="").url, text("remove_like"), image))
    return context


def _sorts(state: PageState, result: SearchResult, text: Text) -> list[tuple[str, str]]:
    """The orders on offer; by price only where there are prices."""
    has_prices = "price" in result.ranges or any(hit.price is not None for hit in result.hits)
    offered = [name for name in SORTS if has_prices or "price" not in name]
    sorts = [
        (name, text("sort_browse" if name == "relevance" and state.is_browsing else f"sort_{name}")) for name in offered
    ]
    return sorts if state.sort in offered else [*sorts, (state.sort, field_label(state.sort.lstrip("-")))]
