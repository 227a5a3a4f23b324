"""POST /api/events: stores UBI events; acknowledged events are on disk, unless the visitor asks for privacy."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from flask import Response, current_app, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import TypeAdapter

from magpie.data.clock import now_ms
from magpie.data.errors import BadEvent
from magpie.data.events.event_validation import validate_event
from magpie.data.events.ubi import PLENTY, EventRecord, FreeRoom, parse_event
from magpie.web.api.answer_search import filter_reason_of_client, wants_privacy
from magpie.web.api.event_schemas import Event
from magpie.web.api.openapi import SECURITY, problem_responses, request_body
from magpie.web.api.request_bodies import JSON, MAX_BODY_BYTES, TEXT, json_body
from magpie.web.api.responses import EventsAnswer
from magpie.web.api.search_requests import MAX_LIST
from magpie.web.services import Services, services

_TAG = Tag(name="events", description="What people did with what they found (OpenSearch User Behavior Insights 1.3).")

api = APIBlueprint("api_events", __name__, abp_tags=[_TAG], abp_responses=problem_responses())

# of who has no token of scope `events`
MAX_EVENTS_BYTES = 1_000_000  # in one request
ROOM = FreeRoom(attributes=4_096, unnamed=1_024)
EVENT_BYTES = 400  # of a stored event beside what was sent: its row's other columns and indexes, in SQLite
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


@api.post(
    "/api/events",
    summary="Record what people did",
    security=SECURITY,
    responses={200: EventsAnswer, **problem_responses(403)},
    openapi_extensions=request_body(Event, shape="one or list"),
)
def record_events() -> Response:
    """Stores one event or a list of up to 1,000; when one is wrong, none is stored.

    The server's own page and pages of MAGPIE_ALLOWED_ORIGINS may send the same JSON as text/plain, as
    navigator.sendBeacon does with a text.
    """
    if request.mimetype == TEXT:
        current_app.extensions["magpie-origins"].demand_known_page()
    opened = services()
    is_trusted = opened.identities.is_vouched_for()
    body = json_body(_ANYTHING, (JSON, TEXT), MAX_BODY_BYTES if is_trusted else MAX_EVENTS_BYTES)
    records = [_by_asker(opened, record) for record in _parse_events(body, PLENTY if is_trusted else ROOM)]
    opened.home.check()
    for name, deeds in Counter(record.client_id or record.session_id for record in records).items():
        opened.rate_limits.count_client(name, deeds)
    if wants_privacy(request.headers):
        opened.metrics.events.labels("private").inc(len(records))
        detail = "Not stored: the browser asks for privacy (DNT or Sec-GPC)."
        return jsonify({"accepted": len(records), "duplicates": 0, "stored": False, "detail": detail})
    if not is_trusted:
        received = now_ms()
        reason = filter_reason_of_client()
        records = [
            replace(record, filter_reason=reason) if reason else validate_event(record, received, opened.query_ids)
            for record in records
        ]
    num_bytes = len(json.dumps(body)) + EVENT_BYTES * len(records)
    opened.log_room.demand(request.remote_addr or "", num_bytes, is_trusted)
    counts = opened.event_log.record_events(records)
    opened.metrics.events.labels("stored").inc(counts.accepted - counts.filtered)
    opened.metrics.events.labels("set aside").inc(counts.filtered)
    opened.metrics.events.labels("duplicate").inc(counts.duplicates)
    return jsonify({"accepted": counts.accepted, "duplicates": counts.duplicates, "stored": True, "detail": "On disk."})


def _by_asker(opened: Services, record: EventRecord) -> EventRecord:
    """The event, with where it came from, and under the id that was signed where the client sends a signed one."""
    asker = opened.identities.asker(record.client_id, record.session_id)
    return replace(record, client_id=asker.client_id, session_id=asker.session_id, origin=asker.origin)


def _parse_events(body: Any, room: FreeRoom) -> list[EventRecord]:
    """The records of one event or a list of them. Raises BadEvent that says which and what."""
    many = body if isinstance(body, list) else [body]
    if not many or len(many) > MAX_LIST:
        raise BadEvent(f"{len(many)} events came; send one event, or a list of 1 to {MAX_LIST}")
    received = now_ms()
    records = []
    for at, raw in enumerate(many):
        try:
            if isinstance(raw, dict) and "set_aside" in raw:
                raise BadEvent("set_aside: is decided by the server; leave it out")
            records.append(parse_event(raw, received, room))
        except BadEvent as error:
            raise BadEvent(f"event {at}: {error}" if isinstance(body, list) else str(error)) from error
    return records
