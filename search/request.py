"""Defines the input and output of the read path: a search request, a hit, a result.

These are plain values without behaviour, so that the web floor can build a
request and render a result without knowing how the engine comes by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from magpie.data.catalogue.items import Value
from magpie.indexer.indexes.field_filter import RANGE_OPERATORS, FilterValue
from magpie.search.histogram import Histogram

__all__ = [
    "MODES",
    "RANGE_OPERATORS",
    "FacetValue",
    "FilterValue",
    "Hit",
    "Range",
    "SearchRequest",
    "SearchResult",
    "Understood",
]

MODES = ("hybrid", "fused", "text", "image", "lexical")


@dataclass(frozen=True)
class SearchRequest:
    """One search: words, a picture, an item to resemble, or any mixture of them.

    `filters` maps attribute names, and also `category`, `price` and `currency`, to what they must be (`read_filter`).
    `sort` is "relevance", "price", "title", "newest" or an attribute's name, with "-" before it for descending.
    `image_weight` runs from 0 (words only) to 1 (picture only); None lets the engine decide.
    `prefix` says that the last word is being typed and may go on; nothing is corrected then.
    `correct` is False for who insists on the words as they are written: none is then taken for a misspelling.
    `read` is False for who wants no part of the words read as a price, an exclusion or the like; `literal` are parts of
    the words that are read as nothing but words.
    `draw`, where it is given, is a seed by which the ranker draws the order from what it believes of each item.
    `layout` says how the hits will be laid out, for the log: people look differently at a grid and at a list.
    `ranker` names a version under rankers/ that is to reorder in the place of the published one.
    `count_categories` asks for the counts of all categories beside the facets.
    A request without words, picture and item browses the catalogue, newest first unless `sort` says otherwise.
    """

    text: str = ""
    picture: bytes | None = None
    like: str | None = None
    not_text: str = ""
    filters: Mapping[str, FilterValue] = field(default_factory=dict)
    k: int = 10
    offset: int = 0
    mode: str = "hybrid"
    sort: str = "relevance"
    explain: bool = False
    image_weight: float | None = None
    correct: bool = True
    prefix: bool = False
    read: bool = True
    literal: tuple[str, ...] = ()
    client_id: str = ""
    session_id: str = ""
    rerank: bool = True
    ranker: str = ""
    draw: int | None = None
    layout: str = ""
    facets: bool = True
    count_categories: bool = False


@dataclass(frozen=True)
class Hit:
    """One item of an answer. `position` is 1-based over the whole answer; `image` is the content hash of its
    first good picture, or None; `explain` holds addends by source that sum to `score`; `inputs` is what the
    learned ranker saw of it, None where no ranker took part; `inferred` names those of the attributes that Magpie
    guessed, with the probability that they are right;
    `propensity` is the probability of this position where the order was drawn; `dominant_colour` is the red, green
    and blue that the picture shows most of."""

    item_id: str
    position: int
    score: float
    title: str
    description: str
    category: str
    price: float | None
    currency: str
    url: str
    image: str | None
    attributes: dict[str, Value]
    explain: dict[str, float] | None = None
    inputs: dict[str, float] | None = None
    inferred: dict[str, float] = field(default_factory=dict)
    propensity: float | None = None
    dominant_colour: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class FacetValue:
    """One value of an attribute and how many of the matching items have it."""

    value: str
    count: int


@dataclass(frozen=True)
class Range:
    """The smallest and largest value of an attribute of numbers or dates among the matching items, and how they
    spread; dates are instants in seconds since 1970."""

    minimum: float
    maximum: float
    spread: Histogram
    is_dates: bool = False


@dataclass(frozen=True)
class Understood:
    """A part of the query, `text`, that was read as something.

    `kind` is "phrase" or "exclusion" (of `words`), "price" or "measure" (a `field` that keeps to a `filter`),
    "preference" (for low prices), "value" (`words` are the value of `field`),
    "synonym" (items may have `words` instead) or "asking" (which says nothing)."""

    kind: str
    text: str
    field: str = ""
    filter: Mapping[str, float] | list[str] | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """The answer to one request. `total` counts the items that match; `confident` is False when none answers well;
    `understood` are the parts of the query that were read as something, `corrected` is the query with misspelt words
    put right, "" where none was; `did_you_mean` the same where that is unsure, and was not searched;
    `categories` are the counts of all categories among the matching items, as if `category` had no filter."""

    query_id: str
    generation: str
    ranker: str
    took_ms: float
    total: int
    confident: bool
    hits: list[Hit]
    facets: dict[str, list[FacetValue]] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    understood: list[Understood] = field(default_factory=list)
    corrected: str = ""
    did_you_mean: str = ""
    categories: Mapping[str, int] = field(default_factory=dict)
