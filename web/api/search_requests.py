"""Strict pydantic models of the parameters and bodies of searches, which also make the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from magpie.data.catalogue.items import MAX_NUMBER
from magpie.data.errors import BadQuery, NotTogether, brief
from magpie.search.request import MODES, RANGE_OPERATORS, SearchRequest
from magpie.web.api.filter_notation import (
    FIELD_AND_VALUE,
    MAX_FIELDS,
    MAX_FILTER_CHARS,
    MAX_VALUES,
    parse_filter_parameters,
    parse_filters,
)

MAX_K = 1000
MAX_DEPTH = 10_000
MAX_TEXT = 1000
SORTS = [sign + name for name in ("relevance", "price", "title", "newest") for sign in ("", "-")]
MAX_MEMBERS = 100
MAX_LITERAL = 20
MAX_LIST = 1000  # events or items in one request
MAX_SEARCH_BYTES = 500_000  # of JSON, pictures come in forms
_TEXT: dict[str, Any] = {"type": "string", "maxLength": MAX_FILTER_CHARS}
_NUMBER: dict[str, Any] = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
_VALUE: dict[str, Any] = {"anyOf": [_TEXT, _NUMBER, {"type": "boolean"}]}
_DATE: dict[str, Any] = {**_TEXT, "description": "A date or time in ISO 8601."}
_BOUNDS: dict[str, Any] = {name: {"anyOf": [_NUMBER, _DATE]} for name in RANGE_OPERATORS}
_RANGE: dict[str, Any] = {
    "type": "object", "minProperties": 1, "additionalProperties": False, "properties": _BOUNDS,
}  # fmt: skip
_EXCLUDED: dict[str, Any] = {"anyOf": [_VALUE, _RANGE]}
_LIST: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": MAX_VALUES}
# a search has at least one of these
ASKING: list[Any] = [
    {"required": ["query"], "properties": {"query": {"pattern": r"\S"}}},
    {"required": ["like"], "properties": {"like": {"type": "string", "minLength": 1}}},
    {"required": ["filters"], "properties": {"filters": {"minProperties": 1}}},
]

FILTERS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "By field: the wanted values (or-ed), or an object of the ends of a range of numbers or dates, of "
    "what is excluded (`not`), and of whether there is a value (`exists`), which are and-ed. Fields are and-ed. The "
    "values of all fields together are at most 1,000, with 50,000 characters.",
    "maxProperties": MAX_FIELDS,
    "propertyNames": {"maxLength": MAX_FILTER_CHARS},
    "additionalProperties": {
        "anyOf": [
            {**_LIST, "items": _VALUE},
            _VALUE,
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {
                    **_BOUNDS,
                    "not": {"anyOf": [*_EXCLUDED["anyOf"], {**_LIST, "items": _EXCLUDED}]},
                    "exists": {"type": "boolean"},
                },
            },
        ]
    },
    "examples": [{"colour": ["Red", "Blue"], "price": {"gte": 10, "lt": 50}}],
}

Sort = Annotated[
    str, WithJsonSchema({"anyOf": [{"type": "string", "enum": SORTS}, {"type": "string", "maxLength": 200}]})
]
# pydantic's own message for what a pattern refuses would not say how filters are written
FilterParameter = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": FIELD_AND_VALUE, "maxLength": MAX_FILTER_CHARS})
]


LiteralPart = Annotated[str, Field(max_length=MAX_TEXT)]


# JSON may write 5 as 5.0, and its schema takes that for an integer
Whole = Annotated[int, BeforeValidator(lambda value: int(value) if _is_whole(value) else value)]


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


class Strict(BaseModel):
    """A model that refuses unknown fields and converts no types: "5" is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, str_max_length=100_000)

    @model_validator(mode="before")
    @classmethod
    def _few_members(cls, given: Any) -> Any:
        """What is given, unless it has so many unknown fields that naming them all would take long."""
        if isinstance(given, dict) and len(given) > MAX_MEMBERS:
            raise ValueError(
                f"has {len(given):,} fields, which nothing here has; leave out those that /docs does not name"
            )
        return given


class SearchQuery(BaseModel):
    """The parameters of GET /api/search."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=MAX_TEXT, description="Words to search for.")
    k: int = Field(10, ge=1, le=MAX_K, description="Hits wanted.")
    offset: int = Field(0, ge=0, le=MAX_DEPTH, description="Hits to skip; offset + k is at most 10,000.")
    mode: str = Field("hybrid", description="One of " + ", ".join(MODES) + ".", json_schema_extra={"enum": list(MODES)})
    sort: Sort = Field(
        "relevance", max_length=200,
        description="relevance, price, title, newest or an attribute's name; a leading - reverses.",
    )  # fmt: skip
    filter: list[FilterParameter] = Field(
        default_factory=list, max_length=200,
        description="field:value, repeatable, such as colour:Red; or a range of numbers or dates: price:10..50, "
        "price:10.. or price:..50; -colour:Red excludes, colour:* asks for any value, -colour:* for none.",
    )  # fmt: skip
    explain: bool = Field(False, description="Give the addends of each score by source.")
    like: str | None = Field(None, max_length=MAX_TEXT, description="Id of an item to resemble.")
    not_: str = Field(
        "",
        alias="not",
        max_length=MAX_TEXT,
        description="Things that hits should not be about, with commas between them; at most 6.",
    )
    image_weight: float | None = Field(None, ge=0, le=1, description="0: words only … 1: picture only.")
    correct: bool = Field(True, description="Put misspelt words right; false takes them as they are written.")
    prefix: bool = Field(False, description="The last word is still being typed: find what begins with it, too.")
    read: bool = Field(True, description="Read prices, exclusions, sizes and the like; false takes all as words.")
    literal: list[LiteralPart] = Field(
        default_factory=list, max_length=MAX_LITERAL, description="Parts of the words to take as nothing but words."
    )
    client_id: str = Field("", max_length=200, description="Who searches, as that client's events say.")
    session_id: str = Field("", max_length=200)
    rerank: bool = Field(True, description="Let what was learned from clicks change the order.")
    facets: bool = Field(True, description="Count the values of the attributes.")
    layout: str = Field("", max_length=64, description="How the hits will be laid out, for the log: grid, list, ….")

    def to_request(self) -> SearchRequest:
        """The engine's request. Raises BadQuery or BadFilter."""
        fields = self.model_dump(exclude={"q", "filter", "not_", "literal"})
        filters = parse_filter_parameters(self.filter)
        return checked(
            SearchRequest(text=self.q, not_text=self.not_, filters=filters, literal=tuple(self.literal), **fields)
        )


class SearchBody(Strict):
    """The body of POST /api/search, as JSON or as multipart/form-data beside the file `image`."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(anyOf=ASKING))

    query: str = Field("", max_length=MAX_TEXT, description="Words to search for.")
    k: Whole = Field(10, ge=1, le=MAX_K, description="Hits wanted.")
    offset: Whole = Field(0, ge=0, le=MAX_DEPTH, description="Hits to skip; offset + k is at most 10,000.")
    mode: str = Field("hybrid", description="One of " + ", ".join(MODES) + ".", json_schema_extra={"enum": list(MODES)})
    sort: Sort = Field(
        "relevance", max_length=200,
        description="relevance, price, title, newest or an attribute's name; a leading - reverses.",
    )  # fmt: skip
    filters: Annotated[dict[str, Any], WithJsonSchema(FILTERS_SCHEMA)] = Field(default_factory=dict)
    explain: bool = Field(False, description="Give the addends of each score by source.")
    like: str | None = Field(None, max_length=MAX_TEXT, description="Id of an item to resemble.")
    not_: str = Field(
        "",
        alias="not",
        max_length=MAX_TEXT,
        description="Things that hits should not be about, with commas between them; at most 6.",
    )
    image_weight: float | None = Field(None, ge=0, le=1, description="0: words only … 1: picture only.")
    correct: bool = Field(True, description="Put misspelt words right; false takes them as they are written.")
    prefix: bool = Field(False, description="The last word is still being typed: find what begins with it, too.")
    read: bool = Field(True, description="Read prices, exclusions, sizes and the like; false takes all as words.")
    literal: list[LiteralPart] = Field(
        default_factory=list, max_length=MAX_LITERAL, description="Parts of the words to take as nothing but words."
    )
    client_id: str = Field("", max_length=200, description="Who searches, as that client's events say.")
    session_id: str = Field("", max_length=200)
    rerank: bool = Field(True, description="Let what was learned from clicks change the order.")
    facets: bool = Field(True, description="Count the values of the attributes.")
    layout: str = Field("", max_length=64, description="How the hits will be laid out, for the log: grid, list, ….")

    def to_request(self, picture: bytes | None) -> SearchRequest:
        """The engine's request. Raises BadQuery or BadFilter."""
        fields = self.model_dump(exclude={"query", "filters", "not_", "literal"})
        return checked(
            SearchRequest(
                text=self.query,
                not_text=self.not_,
                filters=parse_filters(self.filters),
                picture=picture,
                literal=tuple(self.literal),
                **fields,
            )
        )


def checked(request: SearchRequest) -> SearchRequest:
    """The request itself, once the rules that span several fields hold. Raises BadQuery or NotTogether."""
    if not (request.text.strip() or request.picture or request.like or request.filters):
        raise NotTogether("Nothing to search for: give words (query, or q in an address), an image, like, or filters")
    if request.mode not in MODES:
        raise BadQuery(f"mode: {brief(request.mode)} is unknown; use one of {', '.join(MODES)}")
    if request.offset + request.k > MAX_DEPTH:
        raise NotTogether(
            f"offset + k: {request.offset + request.k} goes past {MAX_DEPTH}; narrow the search with filters"
        )
    return request


class SimilarQuery(BaseModel):
    """How many items to give."""

    model_config = ConfigDict(extra="forbid")
    k: int = Field(10, ge=1, le=MAX_K, description="Hits wanted.")


class RecommendQuery(SimilarQuery):
    """What to recommend for: an item, or a person."""

    item: str = Field("", max_length=MAX_TEXT, description="Id of the item that people look at.")
    client_id: str = Field("", max_length=200, description="Who is to see them, as that client's events say.")
    session_id: str = Field("", max_length=200)

    def checked(self) -> "RecommendQuery":
        """Itself. Raises NotTogether without an item, client or session to recommend for."""
        if not (self.item or self.client_id or self.session_id):
            raise NotTogether("Nothing to recommend for: give item, client_id or session_id")
        return self


class FacetPath(BaseModel):
    """A field whose values are listed."""

    field: str = Field(max_length=MAX_FILTER_CHARS, description="The field's name, percent-encoded.")


class FacetQuery(BaseModel):
    """Which of a field's values are wanted, and the search whose hits are counted; without one, all items are."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=MAX_TEXT, description="Words to search for.")
    filter: list[FilterParameter] = Field(default_factory=list, max_length=200, description="As in a search.")
    prefix: str = Field("", max_length=MAX_TEXT, description="How a word of the value begins, whatever its case.")
    limit: int = Field(30, ge=1, le=MAX_K, description="Values wanted.")
    offset: int = Field(0, ge=0, description="Values to skip.")

    def to_request(self) -> SearchRequest:
        """The engine's request, of which no hit is needed. Raises BadFilter."""
        return SearchRequest(text=self.q, filters=parse_filter_parameters(self.filter), k=1, facets=False)


class SuggestQuery(BaseModel):
    """What was typed so far."""

    model_config = ConfigDict(extra="forbid")
    q: str = Field("", max_length=MAX_TEXT, description="The beginning of a query.")
    limit: int = Field(8, ge=1, le=20)
