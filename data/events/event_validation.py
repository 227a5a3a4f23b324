"""Checks an event from the open network as it comes in: can it have happened like this? Nothing is looked up."""

from dataclasses import replace

from magpie.data.events.filter_reasons import FORGED, TOO_EARLY, TOO_LATE, UNREACHABLE, WRONG_CLOCK
from magpie.data.events.signed_query_ids import QueryIds
from magpie.data.events.ubi import EventRecord

_CLOCK_SKEW_MS = 300_000
_OLDEST_MS = 30 * 86_400_000  # a purchase may follow its search by weeks
_DEEPEST = 10_000


def validate_event(event: EventRecord, received_ms: int, query_ids: QueryIds) -> EventRecord:
    """The event; marked as filtered, with the reason, where it cannot have happened like this.

    `received_ms` is when it came, in milliseconds since 1970; a query id that is not signed by `query_ids` is forged.
    """
    reason = _fault(event, received_ms, query_ids)
    return replace(event, filter_reason=reason) if reason else event


def _fault(event: EventRecord, received_ms: int, query_ids: QueryIds) -> str:
    if not -_OLDEST_MS <= event.timestamp_ms - received_ms <= _CLOCK_SKEW_MS:
        return WRONG_CLOCK
    if event.position is not None and event.position > _DEEPEST:
        return UNREACHABLE
    if not event.query_id:
        return ""
    answered_ms = query_ids.answered_at(event.query_id)
    if answered_ms is None:
        return FORGED
    if event.timestamp_ms < answered_ms - _CLOCK_SKEW_MS:
        return TOO_EARLY
    return TOO_LATE if event.timestamp_ms > answered_ms + _OLDEST_MS else ""
