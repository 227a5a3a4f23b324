"""Strict pydantic models of the items that requests send; their schemas include the rules of the catalogue's items."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from magpie.data.catalogue.items import KNOWN_FIELDS, MAX_ATTRIBUTES, MAX_ID_CHARS, MAX_NAME_CHARS
from magpie.data.catalogue.listing import CURSOR
from magpie.data.catalogue.patch import ItemPatch
from magpie.data.errors import brief
from magpie.web.api.event_schemas import NO_NUL
from magpie.web.api.search_requests import MAX_LIST, MAX_TEXT, FilterParameter, Strict

MAX_BULK_LINES = 10_000
MAX_PICTURES = 20  # of one item in one request
_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_SPACES = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # \s is not the same everywhere
# neither control characters nor a space at an end
_ID_SCHEMA: dict[str, Any] = {
    "type": "string",
    "maxLength": MAX_ID_CHARS,
    "pattern": rf"^[^{_SPACES}{_CONTROLS}](?:[^{_CONTROLS}]*[^{_SPACES}{_CONTROLS}])?$",
}
_PLAIN: Any = {"pattern": NO_NUL}
_TEXT_SCHEMA = {"type": "string", "pattern": NO_NUL}
_ATTRIBUTES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "maxProperties": MAX_ATTRIBUTES,
    "propertyNames": {
        "minLength": 1,
        "maxLength": MAX_NAME_CHARS,
        "pattern": NO_NUL,
        "not": {"enum": sorted(KNOWN_FIELDS)},
    },
    "additionalProperties": {
        "anyOf": [_TEXT_SCHEMA, {"type": "number"}, {"type": "boolean"}, {"type": "array", "items": _TEXT_SCHEMA}]
    },
}


class ItemPath(BaseModel):
    """An item's own id."""

    item_id: Annotated[str, WithJsonSchema(_ID_SCHEMA)] = Field(
        max_length=MAX_TEXT, description="The item's id, percent-encoded."
    )


PictureAddress = Annotated[str, Field(pattern=r"^https?://[^\x00-\x20\x7f]+$", max_length=4_000)]


def check_values(attributes: Mapping[str, Any]) -> None:
    """Raises ValueError for a value that is no text, number, boolean or list."""
    for name, value in attributes.items():
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float | bool) for one in listed):
            raise ValueError(f"{name}: {brief(value)} is no text, number, boolean or list of texts")


class ItemBody(Strict):
    """An item to put into the catalogue. What is left out is empty; `images` left out keeps the pictures it has."""

    title: str = Field(min_length=1, max_length=10_000, json_schema_extra=_PLAIN)
    description: str = Field("", json_schema_extra=_PLAIN)
    category: str = Field("", max_length=1000, json_schema_extra=_PLAIN)
    price: float | None = Field(None, ge=0, lt=1e15, allow_inf_nan=False)
    currency: str = Field("", max_length=10, json_schema_extra=_PLAIN)
    url: str = Field("", max_length=4000, json_schema_extra=_PLAIN)
    attributes: Annotated[dict[str, Any], WithJsonSchema(_ATTRIBUTES_SCHEMA)] = Field(
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
        check_values(attributes)
        return attributes


_TITLE_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 10_000, "pattern": NO_NUL}
_MERGED_SCHEMA: dict[str, Any] = {
    **_ATTRIBUTES_SCHEMA,
    "type": ["object", "null"],
    "additionalProperties": {"anyOf": [*_ATTRIBUTES_SCHEMA["additionalProperties"]["anyOf"], {"type": "null"}]},
}


class ItemPatchBody(Strict):
    """The fields of an item to change (JSON merge patch, RFC 7396): null empties one, attributes are merged."""

    title: Annotated[str | None, WithJsonSchema(_TITLE_SCHEMA)] = Field(None, min_length=1, max_length=10_000)
    description: str | None = Field(None, json_schema_extra=_PLAIN)
    category: str | None = Field(None, max_length=1000, json_schema_extra=_PLAIN)
    price: float | None = Field(None, ge=0, lt=1e15, allow_inf_nan=False)
    currency: str | None = Field(None, max_length=10, json_schema_extra=_PLAIN)
    url: str | None = Field(None, max_length=4000, json_schema_extra=_PLAIN)
    attributes: Annotated[dict[str, Any] | None, WithJsonSchema(_MERGED_SCHEMA)] = Field(
        None, description="Values to set by name, null takes one out; null instead of the object takes out all."
    )
    images: list[PictureAddress] | None = Field(
        None, max_length=MAX_PICTURES, description="Addresses of the pictures to have instead; [] or null for none."
    )

    @field_validator("title")
    @classmethod
    def _a_title(cls, title: str | None) -> str | None:
        if title is None:
            raise ValueError("an item needs a title; give one, or leave the field out")
        return title

    @field_validator("attributes")
    @classmethod
    def _plain_values(cls, attributes: dict[str, Any] | None) -> dict[str, Any] | None:
        check_values({name: value for name, value in (attributes or {}).items() if value is not None})
        return attributes

    def to_patch(self, item_id: str, line: int = 0) -> ItemPatch:
        """The patch of this item."""
        named = self.model_fields_set
        texts = {
            name: getattr(self, name) or "" for name in named & {"title", "description", "category", "currency", "url"}
        }
        price = {"price": self.price} if "price" in named else {}
        return ItemPatch(
            item_id,
            fields={**texts, **price},
            attributes=self.attributes or {},
            empties_attributes="attributes" in named and self.attributes is None,
            pictures=tuple(self.images or ()) if "images" in named else None,
            line=line,
        )


class NamedItemPatchBody(ItemPatchBody):
    """The fields of an item to change, with its id, for PATCH /api/items."""

    item_id: Annotated[str, WithJsonSchema(_ID_SCHEMA)] = Field(min_length=1, max_length=MAX_TEXT, pattern=NO_NUL)


class ListQuery(BaseModel):
    """The parameters of GET /api/items."""

    model_config = ConfigDict(extra="forbid")
    limit: int = Field(100, ge=1, le=MAX_LIST, description="Items wanted; a page may have fewer.")
    cursor: Annotated[str, WithJsonSchema({"type": "string", "pattern": CURSOR})] = Field(
        "", description="The `next_cursor` of the page before."
    )
    filter: list[FilterParameter] = Field(
        default_factory=list, max_length=200, description="As in GET /api/search; repeatable."
    )


class DeleteQuery(BaseModel):
    """What to delete: items by id, or by filters."""

    model_config = ConfigDict(extra="forbid")
    item_id: list[Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=NO_NUL)]] = Field(
        default_factory=list, max_length=MAX_BULK_LINES, description="Ids, repeatable; unknown ones count 0."
    )
    filter: list[FilterParameter] = Field(
        default_factory=list, max_length=200, description="As in GET /api/search; repeatable. Not beside ids."
    )


class DeleteHeader(BaseModel):
    """The condition under which an item is deleted."""

    if_match: str | None = Field(
        None, alias="If-Match", description="Write only if the item's ETag is one of these; * for any item that exists."
    )


class PutHeader(DeleteHeader):
    """The conditions under which an item is written."""

    if_none_match: str | None = Field(
        None, alias="If-None-Match", description="Write only if the item's ETag is none of these; * for a new item."
    )


class NamedItemBody(ItemBody):
    """An item with its id, for POST /api/items."""

    item_id: Annotated[str, WithJsonSchema(_ID_SCHEMA)] = Field(min_length=1, max_length=MAX_TEXT)
