"""The search page's state: all of it is in the address, so that a link, a reload and the back button just work."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from data.errors import BadFilter, BadQuery
from search.request import FilterValue, SearchRequest
from web.filter_notation import format_filter_parameters, format_number, parse_filter_parameters
from web.schemas import MAX_K, MAX_TEXT, checked

PAGE_SIZE = 24
MAX_PAGES = MAX_K // PAGE_SIZE
_BOUND_FIELDS = ("min:", "max:")


@dataclass(frozen=True)
class PageState:
    """What is searched for and how much of the answer is shown; `picture` names an upload."""

    q: str = ""
    like: str = ""
    picture: str = ""
    not_text: str = ""
    filters: Mapping[str, FilterValue] = field(default_factory=dict)
    sort: str = "relevance"
    page: int = 1

    @classmethod
    def from_parameters(cls, parameters: "MultiDict[str, str]") -> "PageState":
        """The state in these parameters; others are ignored. Raises BadQuery or BadFilter."""
        for name in ("q", "like", "not", "picture", "sort"):
            if len(parameters.get(name, "")) > MAX_TEXT:
                raise BadQuery(f"{name}: at most {MAX_TEXT} characters are taken; shorten it")
        page = parameters.get("page", "1")
        if not (page.isascii() and page.isdigit() and 1 <= int(page[:6]) <= MAX_PAGES):
            raise BadQuery(f"page: must be a number from 1 to {MAX_PAGES}")
        return cls(
            q=parameters.get("q", "").strip(),
            like=parameters.get("like", ""),
            picture=parameters.get("picture", ""),
            not_text=parameters.get("not", "").strip(),
            filters=parse_filter_parameters(_filter_parameters(parameters)),
            sort=parameters.get("sort", "") or "relevance",
            page=int(page),
        )

    @property
    def is_browsing(self) -> bool:
        """Whether nothing is searched for: the page shows the catalogue."""
        return not (self.q or self.like or self.picture)

    @property
    def num_filters(self) -> int:
        """How many values and ranges narrow the answer."""
        return len(format_filter_parameters(self.filters))

    def parameters(self) -> list[tuple[str, str]]:
        """Name and value of all that differs from the first page of everything, always in the same order."""
        pairs = [("q", self.q), ("like", self.like), ("picture", self.picture), ("not", self.not_text)]
        pairs += [("filter", one) for one in format_filter_parameters(self.filters)]
        pairs += [
            ("sort", "" if self.sort == "relevance" else self.sort),
            ("page", str(self.page) if self.page > 1 else ""),
        ]
        return [(name, value) for name, value in pairs if value]

    @property
    def url(self) -> str:
        """The one address of this state."""
        query = urlencode(self.parameters())
        return f"/?{query}" if query else "/"

    def but(self, **changes: object) -> "PageState":
        """This state with something changed, at its first page again unless a page is given."""
        return replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]

    def with_value(self, name: str, value: str) -> "PageState":
        """This state with one more wanted value of a field."""
        present = self.filters.get(name)
        values = [*present, value] if isinstance(present, list) else [value]
        return self.but(filters={**self.filters, name: values})

    def without_value(self, name: str, value: str) -> "PageState":
        """This state without one of a field's wanted values."""
        present = self.filters.get(name)
        rest = [one for one in present if one != value] if isinstance(present, list) else []
        return self.but(filters={**self.filters, name: rest}) if rest else self.without_field(name)

    def without_field(self, name: str) -> "PageState":
        """This state without anything wanted of a field."""
        return self.but(filters={field: value for field, value in self.filters.items() if field != name})

    def to_request(self, picture: bytes | None) -> SearchRequest:
        """The engine's request for all that is shown: page 3 shows the first three pages. Raises BadQuery."""
        request = SearchRequest(
            text=self.q, picture=picture, like=self.like or None, not_text=self.not_text, filters=self.filters,
            k=PAGE_SIZE * self.page, sort=self.sort,
        )  # fmt: skip
        return request if self.is_browsing else checked(request)


def _filter_parameters(parameters: "MultiDict[str, str]") -> list[str]:
    """The filters, those from the fields of a range form (min:price=10, max:price=50) among them."""
    filters = [one for one in parameters.getlist("filter") if one]
    names = {name[4:] for name in parameters if name.startswith(_BOUND_FIELDS)}
    for name in sorted(names):
        low, high = (_bound(name, parameters.get(f"{bound}{name}", "")) for bound in _BOUND_FIELDS)
        if low or high:
            filters += format_filter_parameters(
                {name: {bound: float(end) for bound, end in (("gte", low), ("lte", high)) if end}}
            )
    return filters


def _bound(name: str, typed: str) -> str:
    if not typed.strip():
        return ""
    try:
        bound = float(typed)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise BadFilter(f"{name}: {typed[:40]!r} is not a number")
    return format_number(bound)
