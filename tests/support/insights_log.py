"""A small made-up log whose sums are known: who searched what, what was found, what was clicked."""

from collections.abc import Sequence
from typing import Any

from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit

DAY_MS = 86_400_000
FOUND = ("ball-red", "ball-blue", "box-red")


def search(
    database: Database, words: str, clients: Sequence[str], clicked: int = 0, days_ago: float = 0.0, **attributes: Any
) -> None:
    """One search of each client for the words, three hits shown; `clicked` is the position that each of them opens."""
    log, at = EventLog(database), now_ms() - int(days_ago * DAY_MS)
    names = {client: f"{words}/{client}/{days_ago}/{sorted(attributes.items())}" for client in clients}
    known: dict[str, Any] = {"sort": "relevance", "ranker": "first-stage", "confident": True} | attributes
    hits = tuple(ShownHit(item, position) for position, item in enumerate(FOUND, 1))
    log.record_queries(
        [
            QueryRecord(name, words, client, application="magpie", timestamp_ms=at, query_attributes=known, hits=hits)
            for client, name in names.items()
        ]
    )
    if clicked:
        item = FOUND[clicked - 1]
        log.record_events(
            [EventRecord("click", name, client, timestamp_ms=at, object_id=item) for client, name in names.items()]
        )


def people(count: int, first: int = 0) -> list[str]:
    """Names of so many different clients."""
    return [f"c{number}" for number in range(first, first + count)]
