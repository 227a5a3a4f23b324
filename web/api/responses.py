"""The HTTP interface's answers: a model for each in the OpenAPI document, and how they are written as JSON."""

from typing import Any

from flask import Response
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json


class FastJSON(DefaultJSONProvider):
    """Writes what `jsonify` is given with pydantic's serialiser, four times as fast as `json`.

    Fields keep their order, and text is written as it is, not escaped to ASCII.
    """

    sort_keys = ensure_ascii = False

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """The response that holds the value or, of several, a list or dictionary of them."""
        content = to_json(self._prepare_response_obj(args, kwargs), fallback=self.default)
        return Response(content + b"\n", mimetype=self.mimetype)


class HitAnswer(BaseModel):
    """One item of an answer."""

    item_id: str
    position: int = Field(description="1 for the first, counted over all pages.")
    score: float
    title: str
    description: str
    category: str
    price: float | None
    currency: str
    url: str
    image_url: str | None = Field(description="Path of its picture on this server; &w=320 gives a thumbnail.")
    attributes: dict[str, Any]
    explain: dict[str, float] | None = Field(None, description="Addends that sum to the score, when asked for.")
    inferred: dict[str, float] | None = Field(
        None, description="Attributes that Magpie guessed, with the probability that each is right."
    )


class FacetAnswer(BaseModel):
    """One value of an attribute among the matching items."""

    value: str
    count: int


class FacetValuesAnswer(BaseModel):
    """A page of a field's values among the matching items, the most frequent first."""

    field: str
    total: int = Field(description="How many values there are, over all pages.")
    values: list[FacetAnswer]


class HistogramAnswer(BaseModel):
    """How many items lie between round edges; one edge more than counts, or neither where all are the same."""

    edges: list[float]
    counts: list[int]


class RangeAnswer(BaseModel):
    """The span of a number among the matching items."""

    min: float
    max: float
    histogram: HistogramAnswer


class UnderstoodAnswer(BaseModel):
    """A part of the query that was read as something."""

    kind: str = Field(description="phrase, exclusion, price, measure, preference, value, synonym or asking.")
    text: str = Field(description="The part, as it was written; `literal` takes it as plain words.")
    field: str | None = Field(None, description="The field that is meant.")
    filter: dict[str, float] | list[str] | None = Field(None, description="What the field must be, as a filter.")
    words: list[str] | None = Field(None, description="The words of a phrase, an exclusion or a value, or synonyms.")


class SearchAnswer(BaseModel):
    """The answer to a search."""

    query_id: str
    generation: str = Field(description="The published index that answered.")
    ranker: str
    took_ms: float
    total: int = Field(description="How many items match.")
    confident: bool = Field(description="False when nothing answers well.")
    hits: list[HitAnswer]
    facets: dict[str, list[FacetAnswer]]
    ranges: dict[str, RangeAnswer]
    notices: list[str] = Field(description="What the searcher should know about this answer.")
    understood: list[UnderstoodAnswer] = Field(description="The parts of the query that were read as something.")
    corrected: str = Field("", description="The query with misspelt words put right, where there are any.")
    did_you_mean: str = Field("", description="The query as it may have been meant, which was not searched.")


class SuggestionAnswer(BaseModel):
    """What a suggestion is."""

    text: str
    kind: str = Field(description="search: many people searched it; category, attribute, title: where its words stand.")
    field: str = Field(description="The category or attribute that it is a value of, empty for others.")
    image_url: str | None = Field(description="A picture of an item that has all its words.")


class SuggestAnswer(BaseModel):
    """Ways to go on typing, best first; for each there is an item that has all its words."""

    suggestions: list[str]
    details: list[SuggestionAnswer]


class EventsAnswer(BaseModel):
    """What became of the events sent."""

    accepted: int = Field(description="Taken; on disk unless `stored` is false.")
    duplicates: int = Field(description="Known already under the same event id.")
    stored: bool = Field(description="False when DNT or Sec-GPC asks that no behaviour be kept.")
    detail: str


class ImageAnswer(BaseModel):
    """One picture of an item."""

    url: str
    width: int
    height: int


class InferredAnswer(BaseModel):
    """A guessed attribute value."""

    value: str
    confidence: float = Field(description="The probability that it is right.")


class ItemAnswer(BaseModel):
    """An item as the catalogue has it."""

    item_id: str
    title: str
    description: str
    category: str
    price: float | None
    currency: str
    url: str
    attributes: dict[str, Any] = Field(description="As given.")
    inferred: dict[str, InferredAnswer] = Field(description="Attributes that Magpie guessed because none was given.")
    images: list[ImageAnswer]
    updated_at: str


class ItemsAnswer(BaseModel):
    """A page of items, in the order in which they came into the catalogue."""

    items: list[ItemAnswer]
    next_cursor: str | None = Field(description="For the page after this one; null at the end.")


class DeletedAnswer(BaseModel):
    """How many items were deleted."""

    deleted: int


class UpsertAnswer(BaseModel):
    """What became of the items sent."""

    inserted: int
    updated: int
    unchanged: int
    images_missing: int
    images_broken: int


class LineAnswer(BaseModel):
    """What became of one line of items."""

    line: int
    result: str = Field(description="inserted, updated, unchanged or rejected.")
    item_id: str = ""
    detail: str = Field("", description="Why it was rejected, or which picture it goes without.")


class FieldProblem(BaseModel):
    """One wrong field."""

    field: str
    detail: str


class Problem(BaseModel):
    """Problem details for HTTP APIs (RFC 9457)."""

    type: str = Field("about:blank", description="Always about:blank: the status says the kind.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, and what to do about it.")
    errors: list[FieldProblem] = Field(default_factory=list)


class ClientAnswer(BaseModel):
    """A signed id: whoever has it is that client."""

    client_id: str


class Health(BaseModel):
    """Whether the server runs."""

    status: str


class Readiness(BaseModel):
    """Whether the server can answer searches, and from which index."""

    model_config = ConfigDict(extra="allow")
    status: str
    generation: str
    items: int
    alarms: list[str]
