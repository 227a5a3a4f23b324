"""What the HTTP interface accepts, as strict pydantic models: the models are the documentation."""

import functools
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from data.errors import BadQuery
from search.request import MODES, RANGE_OPERATORS, SearchRequest
from web.filter_notation import brief, parse_filter_parameters, parse_filters

MAX_K = 1000
MAX_DEPTH = 10_000
MAX_TEXT = 1000
MAX_LIST = 1000  # events or items in one request
MAX_BULK_LINES = 10_000
MAX_PICTURES = 20  # of one item in one request

FILTERS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "By field: the wanted values (or-ed), or a range of numbers. Fields are and-ed.",
    "additionalProperties": {
        "anyOf": [
            {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
            {"type": ["string", "number", "boolean"]},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {operator: {"type": "number"} for operator in RANGE_OPERATORS},
            },
        ]
    },
    "examples": [{"colour": ["Red", "Blue"], "price": {"gte": 10, "lt": 50}}],
}


class Strict(BaseModel):
    """Unknown fields are refused, and JSON values are taken as they are: "5" is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, str_max_length=100_000)


class SearchQuery(BaseModel):
    """The parameters of GET /api/search."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=MAX_TEXT, description="Words to search for.")
    k: int = Field(10, ge=1, le=MAX_K, description="Hits wanted.")
    offset: int = Field(0, ge=0, le=MAX_DEPTH, description="Hits to skip; offset + k is at most 10,000.")
    mode: str = Field("hybrid", description="One of " + ", ".join(MODES) + ".", json_schema_extra={"enum": list(MODES)})
    sort: str = Field(
        "relevance", max_length=200,
        description="relevance, price, title, newest or an attribute's name; a leading - reverses.",
    )  # fmt: skip
    filter: list[str] = Field(
        default_factory=list, max_length=200,
        description="field:value, repeatable, such as colour:Red; or a range: price:10..50, price:10.. or price:..50.",
    )  # fmt: skip
    explain: bool = Field(False, description="Give the addends of each score by source.")
    like: str | None = Field(None, max_length=MAX_TEXT, description="Id of an item to resemble.")
    not_: str = Field("", alias="not", max_length=MAX_TEXT, description="Words that hits should not be about.")
    image_weight: float | None = Field(None, ge=0, le=1, description="0: words only … 1: picture only.")
    correct: bool = Field(True, description="Put misspelt words right; false takes them as they are written.")
    client_id: str = Field("", max_length=200, description="Who searches, as that client's events say.")
    session_id: str = Field("", max_length=200)
    rerank: bool = Field(True, description="Let what was learned from clicks change the order.")
    facets: bool = Field(True, description="Count the values of the attributes.")
    layout: str = Field("", max_length=64, description="How the hits will be laid out, for the log: grid, list, ….")

    @classmethod
    @functools.cache  # flask-openapi3 asks for the schema at every request
    def model_json_schema(cls, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema of the parameters."""
        return super().model_json_schema(**options)

    def to_request(self) -> SearchRequest:
        """The engine's request. Raises BadQuery or BadFilter."""
        fields = self.model_dump(exclude={"q", "filter", "not_"})
        return checked(
            SearchRequest(text=self.q, not_text=self.not_, filters=parse_filter_parameters(self.filter), **fields)
        )


class SearchBody(Strict):
    """The body of POST /api/search, as JSON or as multipart/form-data beside the file `image`."""

    query: str = Field("", max_length=MAX_TEXT, description="Words to search for.")
    k: int = Field(10, ge=1, le=MAX_K, description="Hits wanted.")
    offset: int = Field(0, ge=0, le=MAX_DEPTH, description="Hits to skip; offset + k is at most 10,000.")
    mode: str = Field("hybrid", description="One of " + ", ".join(MODES) + ".", json_schema_extra={"enum": list(MODES)})
    sort: str = Field(
        "relevance", max_length=200,
        description="relevance, price, title, newest or an attribute's name; a leading - reverses.",
    )  # fmt: skip
    filters: Annotated[dict[str, Any], WithJsonSchema(FILTERS_SCHEMA)] = Field(default_factory=dict)
    explain: bool = Field(False, description="Give the addends of each score by source.")
    like: str | None = Field(None, max_length=MAX_TEXT, description="Id of an item to resemble.")
    not_: str = Field("", alias="not", max_length=MAX_TEXT, description="Words that hits should not be about.")
    image_weight: float | None = Field(None, ge=0, le=1, description="0: words only … 1: picture only.")
    correct: bool = Field(True, description="Put misspelt words right; false takes them as they are written.")
    client_id: str = Field("", max_length=200, description="Who searches, as that client's events say.")
    session_id: str = Field("", max_length=200)
    rerank: bool = Field(True, description="Let what was learned from clicks change the order.")
    facets: bool = Field(True, description="Count the values of the attributes.")
    layout: str = Field("", max_length=64, description="How the hits will be laid out, for the log: grid, list, ….")

    def to_request(self, picture: bytes | None) -> SearchRequest:
        """The engine's request. Raises BadQuery or BadFilter."""
        fields = self.model_dump(exclude={"query", "filters", "not_"})
        return checked(
            SearchRequest(
                text=self.query, not_text=self.not_, filters=parse_filters(self.filters), picture=picture, **fields
            )
        )


def checked(request: SearchRequest) -> SearchRequest:
    """The request itself, when what spans several fields is right. Raises BadQuery."""
    if not (request.text.strip() or request.picture or request.like or request.filters):
        raise BadQuery("Nothing to search for: give words (query, or q in an address), an image, like, or filters")
    if request.mode not in MODES:
        raise BadQuery(f"mode: {brief(request.mode)} is unknown; use one of {', '.join(MODES)}")
    if request.offset + request.k > MAX_DEPTH:
        raise BadQuery(
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
        """Itself. Raises BadQuery where there is nothing to recommend for."""
        if not (self.item or self.client_id or self.session_id):
            raise BadQuery("Nothing to recommend for: give item, client_id or session_id")
        return self


class SuggestQuery(BaseModel):
    """What was typed so far."""

    model_config = ConfigDict(extra="forbid")
    q: str = Field("", max_length=MAX_TEXT, description="The beginning of a query.")
    limit: int = Field(8, ge=1, le=20)


class ItemPath(BaseModel):
    """An item's own id."""

    item_id: str = Field(max_length=MAX_TEXT, description="The item's id, percent-encoded.")


class EventObject(BaseModel):
    """What was acted upon; further keys are kept."""

    model_config = ConfigDict(extra="allow")
    object_id: str = Field("", max_length=512, description="The item's id.")


class EventPosition(BaseModel):
    """Where it stood; further keys are kept."""

    model_config = ConfigDict(extra="allow")
    ordinal: int | None = Field(None, ge=1, le=1_000_000, description="Position as shown, from 1.")


class EventAttributes(BaseModel):
    """UBI's event_attributes; further keys are kept."""

    model_config = ConfigDict(extra="allow")
    object: EventObject | None = None
    position: EventPosition | None = None


class Event(BaseModel):
    """One thing a person did, as UBI names it; `data.ubi` checks it, and keeps fields that are not named here."""

    model_config = ConfigDict(extra="allow")
    action_name: str = Field(min_length=1, max_length=128, description="click, view, add_to_cart, purchase, …")
    event_id: str = Field("", max_length=256, description="Sent again under the same id, it counts once.")
    query_id: str = Field("", max_length=128, description="The search that led to it.")
    client_id: str = Field("", max_length=256, description="Who did it.")
    session_id: str = Field("", max_length=256)
    application: str = Field("", max_length=256)
    timestamp: str | int | None = Field(
        None, description="ISO 8601, or milliseconds since 1970; the time of arrival, when left out."
    )
    message_type: str = Field("", max_length=256)
    message: str = Field("", max_length=4_096)
    event_attributes: EventAttributes | None = None


PictureAddress = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=4_000)]


class ItemBody(Strict):
    """An item to put into the catalogue. What is left out is empty; `images` left out keeps the pictures it has."""

    title: str = Field(min_length=1, max_length=10_000)
    description: str = ""
    category: str = Field("", max_length=1000)
    price: float | None = Field(None, ge=0, allow_inf_nan=False)
    currency: str = Field("", max_length=10)
    url: str = Field("", max_length=4000)
    attributes: dict[str, Any] = Field(
        default_factory=dict, description="Texts, numbers, booleans, or lists of texts, by name."
    )
    images: list[PictureAddress] | None = Field(
        None,
        max_length=MAX_PICTURES,
        description="[] removes the pictures. New ones are sent as multipart files named `image`, or as addresses on "
        "hosts that the owner allows.",
    )

    @field_validator("attributes")
    @classmethod
    def _plain_values(cls, attributes: dict[str, Any]) -> dict[str, Any]:
        for name, value in attributes.items():
            listed = value if isinstance(value, list) else [value]
            if not all(isinstance(one, str | int | float | bool) for one in listed):
                raise ValueError(f"{name}: {brief(value)} is no text, number, boolean or list of texts")
        return attributes


class DeleteHeader(BaseModel):
    """Which state of the item a write is meant for."""

    if_match: str | None = Field(
        None, alias="If-Match", description="Write only if the item's ETag is one of these; * for any item that exists."
    )


class PutHeader(DeleteHeader):
    """The same, and which states it is not meant for."""

    if_none_match: str | None = Field(
        None, alias="If-None-Match", description="Write only if the item's ETag is none of these; * for a new item."
    )


class NamedItemBody(ItemBody):
    """An item with its id, for POST /api/items."""

    item_id: str = Field(min_length=1, max_length=MAX_TEXT)
