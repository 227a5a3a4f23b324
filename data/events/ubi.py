"""Parses and formats queries and events in the schema of User Behavior Insights (UBI) 1.3.

The schema is OpenSearch's (github.com/o19s/ubi, version 1.3). Fields that it does not name are kept and exported again,
except IP addresses and user agents.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from magpie.data.clock import now_ms
from magpie.data.errors import BadEvent
from magpie.data.events.filter_reasons import BOT
from magpie.data.events.origin import VOUCHED, Origin
from magpie.data.events.personal_fields import without_personal_fields

_LIMITS = {
    "query_id": 128,
    "event_id": 256,
    "client_id": 256,
    "session_id": 256,
    "action_name": 128,
    "application": 256,
    "message_type": 256,
    "message": 4_096,
    "user_query": 10_000,
    "object_id": 512,
}
MAX_HITS = 10_000
# from the first day of 2000 to the last of 2099, wherever on earth
FIRST_MS = 946_598_400_000  # 1999-12-31
LAST_MS = 4_102_531_200_000  # 2100-01-02
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)

_QUERY_FIELDS = ("query_id", "user_query", "client_id", "session_id", "application")
_EVENT_FIELDS = (
    *("event_id", "action_name", "query_id", "client_id", "session_id", "application"),
    *("message_type", "message"),
)


@dataclass(frozen=True)
class FreeRoom:
    """Most characters of JSON in the attributes of an event or a query, and in fields that UBI does not name."""

    attributes: int = 32_768
    unnamed: int = 32_768


PLENTY = FreeRoom()


@dataclass(frozen=True)
class ShownHit:
    """One hit as it was shown: its position (1-based), and what the ranker knew of it then."""

    item_id: str
    position: int
    score: float | None = None
    propensity: float | None = None
    features: Mapping[str, float] | None = None


@dataclass(frozen=True)
class QueryRecord:
    """One answered search from `origin`. `filter_reason` says why it counts in nothing, "" if it counts."""

    query_id: str
    user_query: str = ""
    client_id: str = ""
    session_id: str = ""
    application: str = ""
    timestamp_ms: int = field(default_factory=now_ms)
    hits: tuple[ShownHit, ...] = ()
    query_attributes: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    filter_reason: str = ""
    origin: Origin = VOUCHED


@dataclass(frozen=True)
class EventRecord:
    """One thing that a person did. `filter_reason` and `origin` as of a `QueryRecord`."""

    action_name: str
    query_id: str = ""
    client_id: str = ""
    session_id: str = ""
    application: str = ""
    timestamp_ms: int = field(default_factory=now_ms)
    object_id: str = ""
    position: int | None = None
    event_attributes: Mapping[str, Any] = field(default_factory=dict)
    message_type: str = ""
    message: str = ""
    event_id: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    filter_reason: str = ""
    origin: Origin = VOUCHED

    def dedup_key(self) -> bytes:
        """16 bytes, the same for the same event sent again: its id, or all of its content where it has none."""
        if self.event_id:
            return blake2b(b"id\0" + self.event_id.encode(), digest_size=16).digest()
        who = [self.action_name, self.query_id, self.client_id, self.session_id, self.application]
        what = [self.timestamp_ms, self.object_id, self.position, dict(self.event_attributes), dict(self.extra)]
        content = _JSON.encode([who, what, self.message_type, self.message])
        return blake2b(content.encode(), digest_size=16).digest()


def parse_query(raw: object, received_ms: int | None = None) -> QueryRecord:
    """The logged query of one UBI object. Raises BadEvent, naming the field.

    Where it has no timestamp, `received_ms` stands in; without that, it is needed.
    """
    values, is_program = without_personal_fields(_object(raw))
    known: dict[str, Any] = {name: _text(values, name) for name in _QUERY_FIELDS}
    if not known["query_id"]:
        raise BadEvent("query_id: is needed")
    attributes, hits = _attributes(values, "query_attributes", PLENTY.attributes), _hits(values)
    timestamp_ms, reason = _timestamp(values, received_ms), _set_aside(values) or (BOT if is_program else "")
    return QueryRecord(
        **known,
        timestamp_ms=timestamp_ms,
        hits=hits,
        query_attributes=attributes,
        extra=_extra(values, PLENTY.unnamed),
        filter_reason=reason,
    )


def parse_event(raw: object, received_ms: int | None = None, room: FreeRoom = PLENTY) -> EventRecord:
    """The event of one UBI object, no larger than `room`. Raises BadEvent, naming the field.

    Where it has no timestamp, `received_ms` stands in; without that, it is needed.
    """
    values, is_program = without_personal_fields(_object(raw))
    known: dict[str, Any] = {name: _text(values, name) for name in _EVENT_FIELDS}
    if not known["action_name"]:
        raise BadEvent('action_name: is needed, such as "click", "view" or "purchase"')
    attributes = _attributes(values, "event_attributes", room.attributes)
    target, place = ({} if attributes.get(name) is None else attributes[name] for name in ("object", "position"))
    if not isinstance(target, dict) or not isinstance(place, dict):
        raise BadEvent("event_attributes: object and position must be objects")
    return EventRecord(
        **known,
        timestamp_ms=_timestamp(values, received_ms),
        object_id=_text(target, "object_id", "event_attributes.object."),
        position=_ordinal(place.get("ordinal"), "event_attributes.position.ordinal"),
        event_attributes=attributes,
        filter_reason=_set_aside(values) or (BOT if is_program else ""),
        extra=_extra(values, room.unnamed),
    )


def query_to_ubi(query: QueryRecord) -> dict[str, Any]:
    """The query as one UBI object; details of its hits only where there are any."""
    shown: dict[str, Any] = {name: getattr(query, name) for name in _QUERY_FIELDS}
    shown["timestamp"] = format_timestamp(query.timestamp_ms)
    shown["query_response_hit_ids"] = [hit.item_id for hit in query.hits]
    shown["query_attributes"] = dict(query.query_attributes)
    if any(hit != ShownHit(hit.item_id, place) for place, hit in enumerate(query.hits, 1)):
        shown["query_response_hits"] = [_hit_to_ubi(hit) for hit in query.hits]
    return _with_reason(shown | dict(query.extra), query.filter_reason)


def event_to_ubi(event: EventRecord) -> dict[str, Any]:
    """The event as one UBI object, without the fields that it does not have."""
    shown: dict[str, Any] = {name: value for name in _EVENT_FIELDS if (value := getattr(event, name))}
    shown["timestamp"] = format_timestamp(event.timestamp_ms)
    shown["event_attributes"] = dict(event.event_attributes)
    return _with_reason(shown | dict(event.extra), event.filter_reason)


def format_timestamp(timestamp_ms: int) -> str:
    """UTC in ISO 8601, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if timestamp_ms % 1000 else "seconds").replace("+00:00", "Z")


def _with_reason(shown: dict[str, Any], reason: str) -> dict[str, Any]:
    return shown | {"set_aside": reason} if reason else shown


def _hit_to_ubi(hit: ShownHit) -> dict[str, Any]:
    details = {"score": hit.score, "propensity": hit.propensity, "features": hit.features}
    return {"object_id": hit.item_id, "ordinal": hit.position} | {k: v for k, v in details.items() if v is not None}


def _object(raw: object) -> dict[str, Any]:
    """A copy whose fields are taken out one by one, so that what is left is what UBI does not name."""
    if not isinstance(raw, dict):
        raise BadEvent("a query or event must be a JSON object")
    try:
        text = json.dumps(raw, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise BadEvent(f"holds a value that is not JSON text in UTF-8 ({error})") from error
    if "\\u0000" in text:
        raise BadEvent("holds a NUL character, which is no text")
    return dict(raw)


def _text(values: dict[str, Any], name: str, prefix: str = "") -> str:
    value = values.get(name) if prefix else values.pop(name, None)
    if value is None:
        return ""
    number = _whole(value)
    if number is not None and name.endswith("_id"):
        value = str(number)
    if not isinstance(value, str):
        raise BadEvent(f"{prefix}{name}: must be a text, is {str(value)[:60]!r}")
    if len(value) > _LIMITS[name]:
        raise BadEvent(f"{prefix}{name}: has {len(value)} characters, at most {_LIMITS[name]} are taken")
    return value


def _attributes(values: dict[str, Any], name: str, most_chars: int) -> dict[str, Any]:
    value = values.pop(name, None)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadEvent(f"{name}: must be an object, is {str(value)[:60]!r}")
    if len(_JSON.encode(value)) > most_chars:
        raise BadEvent(f"{name}: is longer than {most_chars:,} characters")
    return value


def _extra(values: dict[str, Any], most_chars: int) -> dict[str, Any]:
    if values and len(_JSON.encode(values)) > most_chars:
        raise BadEvent(f"{', '.join(values)[:200]}: longer than {most_chars:,} characters together")
    return values


def _set_aside(values: dict[str, Any]) -> str:
    value = values.pop("set_aside", None)
    if not isinstance(value, str | None):
        raise BadEvent("set_aside: must be the reason, a text")
    return value or ""


def _timestamp(values: dict[str, Any], received_ms: int | None) -> int:
    value = values.pop("timestamp", None)
    if value is None and received_ms is not None:
        return received_ms
    timestamp_ms = 0
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            # exact: a float of seconds would move some milliseconds
            timestamp_ms = (moment - _EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):
            timestamp_ms = 0
    else:
        timestamp_ms = _whole(value) or 0
    if not FIRST_MS <= timestamp_ms < LAST_MS:
        shown = "is needed" if value is None else f"{str(value)[:60]!r} is no time"
        raise BadEvent(f"timestamp: {shown}; give ISO 8601 such as 2026-11-23T10:00:00Z, or milliseconds since 1970")
    return timestamp_ms


def _ordinal(value: object, name: str) -> int | None:
    if value is None:
        return None
    number = _whole(value)
    if number is None or not 1 <= number <= 1_000_000:
        raise BadEvent(f"{name}: must be a position, counted from 1, is {str(value)[:60]!r}")
    return number


def _whole(value: object) -> int | None:
    """The whole number, which JSON may write as 5 or as 5.0; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)


def _hits(values: dict[str, Any]) -> tuple[ShownHit, ...]:
    ids, details = values.pop("query_response_hit_ids", None), values.pop("query_response_hits", None)
    if details is not None:
        return _detailed_hits(details)
    if ids is None:
        return ()
    if not isinstance(ids, list) or len(ids) > MAX_HITS:
        raise BadEvent(f"query_response_hit_ids: must be a list of at most {MAX_HITS:,} item ids")
    return tuple(ShownHit(_hit_id(item_id), place) for place, item_id in enumerate(ids, 1))


def _hit_id(value: object) -> str:
    number = _whole(value)
    text = str(value if number is None else number) if isinstance(value, str) or number is not None else ""
    if not text or len(text) > _LIMITS["object_id"]:
        raise BadEvent(f"query_response_hit_ids: {str(value)[:60]!r} is no item id")
    return text


def _detailed_hits(details: object) -> tuple[ShownHit, ...]:
    name = "query_response_hits"
    if not isinstance(details, list) or len(details) > MAX_HITS or not all(isinstance(hit, dict) for hit in details):
        raise BadEvent(f"{name}: must be a list of at most {MAX_HITS:,} objects")
    hits = []
    for place, hit in enumerate(details, 1):
        numbers = [hit.get("score"), hit.get("propensity")]
        features = hit.get("features")
        given = numbers + (list(features.values()) if isinstance(features, dict) else [])
        if any(isinstance(x, bool) or not isinstance(x, int | float | None) for x in given):
            raise BadEvent(f"{name}: score, propensity and features must be numbers")
        if not isinstance(features, dict | None):
            raise BadEvent(f"{name}: features must be an object")
        position = _ordinal(hit.get("ordinal"), f"{name}.ordinal") or place
        hits.append(ShownHit(_hit_id(hit.get("object_id")), position, numbers[0], numbers[1], features))
    if len({hit.position for hit in hits}) < len(hits):
        raise BadEvent(f"{name}: two hits have the same position")
    return tuple(hits)
