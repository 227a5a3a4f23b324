"""Things that people did, put into the log."""

from typing import Any

from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord


def choose(database: Database, *items: str, **who: Any) -> None:
    """Somebody clicks these items just now; `who` are other fields of the events."""
    fields = {"action_name": "click", "timestamp_ms": now_ms()} | who
    EventLog(database).record_events([EventRecord(object_id=item, **fields) for item in items])
