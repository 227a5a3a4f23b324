"""Converts query and event records to table rows and back."""

import json
from typing import Any

from sqlalchemy import Row

from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def query_values(record: QueryRecord) -> dict[str, Any]:
    return {
        "query_id": record.query_id,
        "user_query": record.user_query,
        "client_id": record.client_id,
        "session_id": record.session_id,
        "application": record.application,
        "timestamp": record.timestamp_ms,
        "query_attributes": _JSON.encode(record.query_attributes),
        "extra": _JSON.encode(record.extra),
        "set_aside": bool(record.filter_reason),
        "reason": record.filter_reason,
        "address": record.origin.address,
        "block": record.origin.block,
        "is_proved": record.origin.is_proved,
    }


def hit_values(hit: ShownHit, query: int) -> dict[str, Any]:
    return {
        "query": query,
        "position": hit.position,
        "item_id": hit.item_id,
        "score": hit.score,
        "propensity": hit.propensity,
        "features": None if hit.features is None else _JSON.encode(dict(hit.features)),
    }


def event_values(record: EventRecord, dedup_key: bytes) -> dict[str, Any]:
    return {
        "dedup_key": dedup_key,
        "event_id": record.event_id,
        "action_name": record.action_name,
        "query_id": record.query_id,
        "client_id": record.client_id,
        "session_id": record.session_id,
        "application": record.application,
        "timestamp": record.timestamp_ms,
        "object_id": record.object_id,
        "position": record.position,
        "event_attributes": _JSON.encode(record.event_attributes),
        "message_type": record.message_type,
        "message": record.message,
        "extra": _JSON.encode(record.extra),
        "set_aside": bool(record.filter_reason),
        "reason": record.filter_reason,
        "address": record.origin.address,
        "block": record.origin.block,
        "is_proved": record.origin.is_proved,
    }


def read_query(row: Row[Any], hits: tuple[ShownHit, ...]) -> QueryRecord:
    return QueryRecord(
        query_id=row.query_id,
        user_query=row.user_query,
        client_id=row.client_id,
        session_id=row.session_id,
        application=row.application,
        timestamp_ms=row.timestamp,
        hits=hits,
        query_attributes=json.loads(row.query_attributes),
        extra=json.loads(row.extra),
        filter_reason=row.reason,
    )


def read_hit(row: Row[Any]) -> ShownHit:
    features = json.loads(row.features) if row.features else None
    return ShownHit(row.item_id, row.position, row.score, row.propensity, features)


def read_event(row: Row[Any]) -> EventRecord:
    return EventRecord(
        action_name=row.action_name,
        query_id=row.query_id,
        client_id=row.client_id,
        session_id=row.session_id,
        application=row.application,
        timestamp_ms=row.timestamp,
        object_id=row.object_id,
        position=row.position,
        event_attributes=json.loads(row.event_attributes),
        message_type=row.message_type,
        message=row.message,
        event_id=row.event_id,
        extra=json.loads(row.extra),
        filter_reason=row.reason,
    )
