"""An event from the open network → whether it can have happened, without looking anything up."""

from dataclasses import replace

from magpie.data.events.personal_fields import BOT
from magpie.data.events.signed_query_ids import QueryIds
from magpie.data.events.ubi import EventRecord
from magpie.data.spam.click_spam import BEYOND, EVERYTHING, FLOOD, NOT_SHOWN, PUSHES, REPEATED, TOO_EARLY

FORGED = "forged query id"
TOO_LATE = "long after its search"
WRONG_CLOCK = "time that is not now"
UNREACHABLE = "position that no search shows"
# all that is set aside for, here, at the door, and by what only the log can tell; imported records may bring their own
REASONS = (
    *(BOT, FORGED, TOO_EARLY, TOO_LATE, WRONG_CLOCK, UNREACHABLE),
    *(FLOOD, NOT_SHOWN, BEYOND, EVERYTHING, PUSHES, REPEATED),
)
_CLOCK_SKEW_MS = 300_000
_OLDEST_MS = 30 * 86_400_000  # a purchase may follow its search by weeks
_DEEPEST = 10_000


def doubted(event: EventRecord, received_ms: int, query_ids: QueryIds) -> EventRecord:
    """The event, set aside with the reason where it cannot have happened like this."""
    reason = _fault(event, received_ms, query_ids)
    return replace(event, set_aside=reason) if reason else event


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
