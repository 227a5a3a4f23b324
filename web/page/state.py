"""The search page's state, all of which is in its address: links, reloading and the back button keep it."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from werkzeug.datastructures import MultiDict

from magpie.data.catalogue.instants import period_of
from magpie.data.errors import BadFilter, BadQuery, brief
from magpie.indexer.indexes.field_filter import FieldFilter, Span
from magpie.search.query.negation import split_negated
from magpie.search.request import SearchRequest
from magpie.web.addresses import search_url
from magpie.web.api.filter_notation import format_filter_parameters, format_number, parse_filter_parameters
from magpie.web.api.search_requests import MAX_LITERAL, MAX_TEXT, checked
from magpie.web.media.upload_store import Crop

PAGE_SIZE = 24
MAX_PAGES = 20
_BOUND_FIELDS = ("min:", "max:")
_CROP = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})")
_SMALLEST_PART = 5  # percent of a side


@dataclass(frozen=True)
class PageState:
    """What is searched for, and how many pages of results are shown.

    `picture` names an upload, `crop` the part of it to search with; `weight` is the weight of picture or item against
    words in percent, None for the engine's own; `exact` turns spelling correction off; `literal` are parts of the words
    that are read as nothing but words.
    """

    q: str = ""
    exact: bool = False
    literal: tuple[str, ...] = ()
    like: str = ""
    picture: str = ""
    crop: Crop | None = None
    weight: int | None = None
    avoided: tuple[str, ...] = ()
    filters: Mapping[str, FieldFilter] = field(default_factory=dict)
    sort: str = "relevance"
    page: int = 1

    @classmethod
    def from_parameters(cls, parameters: "MultiDict[str, str]") -> "PageState":
        """The state in these parameters; unknown ones are ignored. Raises BadQuery or BadFilter."""
        for name in ("q", "like", "picture", "sort"):
            if len(parameters.get(name, "")) > MAX_TEXT:
                raise BadQuery(f"{name}: at most {MAX_TEXT} characters are taken; shorten it")
        page = parameters.get("page", "1")
        if not (page.isascii() and page.isdigit() and 1 <= int(page[:6]) <= MAX_PAGES):
            raise BadQuery(f"page: must be a number from 1 to {MAX_PAGES}")
        return cls(
            q=parameters.get("q", "").strip(),
            exact=parameters.get("exact", "") == "1",
            literal=_literal(parameters.getlist("literal")),
            like=parameters.get("like", ""),
            picture=parameters.get("picture", ""),
            crop=_crop(parameters.get("crop", "")),
            weight=_weight(parameters.get("weight", "")),
            avoided=_avoided(parameters.getlist("not")),
            filters=parse_filter_parameters(_filter_parameters(parameters)),
            sort=parameters.get("sort", "") or "relevance",
            page=int(page),
        )

    @property
    def is_browsing(self) -> bool:
        """Whether nothing is searched for, so that the page shows the catalogue."""
        return not (self.q or self.is_composing)

    @property
    def is_composing(self) -> bool:
        """Whether a picture or an item is searched with."""
        return bool(self.like or self.picture)

    @property
    def is_start(self) -> bool:
        """Whether this is the start page."""
        return self.is_browsing and not self.filters and self.sort == "relevance" and self.page == 1

    @property
    def num_filters(self) -> int:
        """How many values and ranges narrow the answer."""
        return len(format_filter_parameters(self.filters))

    def parameters(self) -> list[tuple[str, str]]:
        """Name and value of everything that differs from the start page, always in the same order."""
        pairs = [
            ("q", self.q),
            ("exact", "1" if self.exact and self.q else ""),
            *(("literal", one) for one in self.literal if self.q),
            ("like", self.like),
            ("picture", self.picture),
        ]
        pairs += [("crop", "-".join(map(str, self.crop)) if self.crop and self.picture else "")]
        pairs += [("weight", str(self.weight) if self.weight is not None and self.is_composing else "")]
        pairs += [("not", one) for one in self.avoided if not self.is_browsing]
        pairs += [("filter", one) for one in format_filter_parameters(self.filters)]
        pairs += [
            ("sort", "" if self.sort == "relevance" else self.sort),
            ("page", str(self.page) if self.page > 1 else ""),
        ]
        return [(name, value) for name, value in pairs if value]

    @property
    def url(self) -> str:
        """The one address of this state."""
        return search_url(self.parameters())

    def but(self, **changes: object) -> "PageState":
        """This state with some fields changed, at page 1 unless a page is given."""
        return replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]

    def unfiltered(self) -> "PageState":
        """This state without filters and exclusions."""
        return self.but(filters={}, avoided=())

    def with_value(self, name: str, value: str) -> "PageState":
        """This state with one more selected value of a field, in the place of a range."""
        present = self.filters.get(name, FieldFilter())
        return self.with_filter(name, replace(present, values=(*present.values, value), spans=()))

    def without_value(self, name: str, value: str) -> "PageState":
        """This state without one of a field's selected values."""
        present = self.filters.get(name, FieldFilter())
        return self.with_filter(name, replace(present, values=tuple(one for one in present.values if one != value)))

    def with_filter(self, name: str, wanted: FieldFilter) -> "PageState":
        """This state with this filter on a field, without any where it asks nothing."""
        if wanted == FieldFilter():
            return self.without_field(name)
        return self.but(filters={**self.filters, name: wanted})

    def without_field(self, name: str) -> "PageState":
        """This state without the filter on a field."""
        return self.but(filters={field: value for field, value in self.filters.items() if field != name})

    def to_request(self, picture: bytes | None) -> SearchRequest:
        """The engine's request for all pages up to this one. Raises BadQuery."""
        is_mixed = self.weight is not None and self.q and self.is_composing
        request = SearchRequest(
            text=self.q, picture=picture, like=self.like or None, filters=self.filters, k=PAGE_SIZE * self.page,
            not_text="" if self.is_browsing else ", ".join(self.avoided), sort=self.sort,
            image_weight=(self.weight or 0) / 100 if is_mixed else None, correct=not self.exact, literal=self.literal,
            count_categories=True,
        )  # fmt: skip
        return request if self.is_browsing else checked(request)


def _crop(given: str) -> Crop | None:
    """Left, top, right and bottom in percent of the picture, None for all of it. Raises BadQuery."""
    if not given:
        return None
    found = _CROP.fullmatch(given)
    left, top, right, bottom = (int(number) for number in found.groups()) if found else (0, 0, 0, 0)
    if max(right, bottom) > 100 or right - left < _SMALLEST_PART or bottom - top < _SMALLEST_PART:
        raise BadQuery("crop: give left-top-right-bottom in percent of the picture, such as 10-20-90-80")
    return None if (left, top, right, bottom) == (0, 0, 100, 100) else (left, top, right, bottom)


def _weight(given: str) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and int(given[:4]) <= 100):
        raise BadQuery("weight: must be a whole number from 0 (words only) to 100 (picture only)")
    return int(given)


def _avoided(given: Iterable[str]) -> tuple[str, ...]:
    things = tuple(dict.fromkeys(one for text in given for one in split_negated(text)))
    if len(", ".join(things)) > MAX_TEXT:
        raise BadQuery(f"not: at most {MAX_TEXT} characters are taken; shorten it")
    return things


def _literal(given: Iterable[str]) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(one for one in given if one))
    if len(parts) > MAX_LITERAL or len("".join(parts)) > MAX_TEXT:
        raise BadQuery(f"literal: at most {MAX_LITERAL} parts with {MAX_TEXT} characters are taken; leave some out")
    return parts


def _filter_parameters(parameters: "MultiDict[str, str]") -> list[str]:
    """The filter parameters, with the fields of range forms (min:price=10, max:price=50) turned into filters."""
    filters = [one for one in parameters.getlist("filter") if one]
    names = {name[4:] for name in parameters if name.startswith(_BOUND_FIELDS)}
    for name in sorted(names):
        low, high = (_bound(name, parameters.get(f"{bound}{name}", "").strip()) for bound in _BOUND_FIELDS)
        if low or high:
            filters += format_filter_parameters({name: FieldFilter(spans=(Span((), f"{low}..{high}"),))})
    return filters


def _bound(name: str, typed: str) -> str:
    """The end of a range as an address writes it: a number or a date. Raises BadFilter."""
    if not typed or period_of(typed) is not None:
        return typed
    try:
        bound = float(typed)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise BadFilter(f"{name}: {brief(typed)} is neither a number nor a date such as 2026-01-31")
    return format_number(bound)
