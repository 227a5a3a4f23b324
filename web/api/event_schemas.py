"""The OpenAPI schemas of events; `data.events.ubi` parses them, and keeps fields that are not named here."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from magpie.data.events.ubi import FIRST_MS, LAST_MS

NO_NUL = r"^[^\x00]*$"
KEPT = "Kept"
_LEAP_YEAR = "20(?:[02468][048]|[13579][26])"
_DAY = (
    "(?:20[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"

# what fields that are not named here may hold, at any depth
KEPT_SCHEMA: dict[str, Any] = {
    "description": "Any JSON without NUL characters.",
    "anyOf": [
        {"type": ["null", "boolean", "number"]},
        {"type": "string", "pattern": NO_NUL},
        {"type": "array", "items": {"$ref": f"#/components/schemas/{KEPT}"}},
        {
            "type": "object",
            "propertyNames": {"pattern": NO_NUL},
            "additionalProperties": {"$ref": f"#/components/schemas/{KEPT}"},
        },
    ],
}
_OPEN: dict[str, Any] = {
    "propertyNames": {"pattern": NO_NUL},
    "additionalProperties": {"$ref": f"#/components/schemas/{KEPT}"},
}
_TIMESTAMP_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_DAY}T{_TIME}$"},
        {"type": "integer", "minimum": FIRST_MS, "exclusiveMaximum": LAST_MS},
        {"type": "null"},
    ]
}


def _texts(most: int, *more: str) -> WithJsonSchema:
    """The schema of a text that the log stores unchanged; null counts as absent."""
    return WithJsonSchema({"type": ["string", *more, "null"], "maxLength": most, "pattern": NO_NUL})


Text = Annotated[str | None, _texts(256)]
Message = Annotated[str | None, _texts(4_096)]
Id = Annotated[str | int | None, _texts(256, "integer")]
QueryId = Annotated[str | int | None, _texts(128, "integer")]
ItemId = Annotated[str | int | None, _texts(512, "integer")]


class EventObject(BaseModel):
    """The item that the action was about; further keys are kept."""

    model_config = ConfigDict(extra="allow")
    object_id: ItemId = Field(None, description="The item's id.")


class EventPosition(BaseModel):
    """Where the item was shown; further keys are kept."""

    model_config = ConfigDict(extra="allow")
    ordinal: int | None = Field(None, ge=1, le=1_000_000, description="Position as shown, from 1.")


class EventAttributes(BaseModel):
    """UBI's event_attributes; further keys are kept."""

    model_config = ConfigDict(extra="allow")
    object: EventObject | None = None
    position: EventPosition | None = None


class Event(BaseModel):
    """One thing a person did, as UBI names it; further keys are kept, `set_aside` alone is refused."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"not": {"required": ["set_aside"]}})
    action_name: str = Field(
        min_length=1, max_length=128, pattern=NO_NUL, description="click, view, add_to_cart, purchase, …"
    )
    event_id: Id = Field(None, description="Sent again under the same id, it counts once.")
    query_id: QueryId = Field(None, description="The search that led to it.")
    client_id: Id = Field(None, description="Who did it.")
    session_id: Id = None
    application: Text = None
    timestamp: Annotated[str | int | None, WithJsonSchema(_TIMESTAMP_SCHEMA)] = Field(
        None,
        description="ISO 8601, or milliseconds since 1970, of the years from 2000 to 2099; the time of arrival, when "
        "left out.",
    )
    message_type: Text = None
    message: Message = None
    event_attributes: EventAttributes | None = None

    @classmethod
    def model_json_schema(cls, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema of an event, with what further keys may hold."""
        schema = super().model_json_schema(**options)
        for part in (schema, *schema["$defs"].values()):
            part |= _OPEN
        schema["$defs"][KEPT] = KEPT_SCHEMA
        return schema
