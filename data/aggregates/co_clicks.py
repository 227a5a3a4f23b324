"""Counts co-clicks: for an item, what the same people chose in the same session, and how many did."""

from dataclasses import dataclass

from sqlalchemy import text

from magpie.data.aggregates.item_counts import CHOICES
from magpie.data.database.connection import Database

_MOST_CHOICES = 500  # of the item, the latest
_MOST_ROWS = 20_000
_MOST_EVENTS = 20_000  # among which the latest visits are looked for

_ACTIONS = ", ".join(f"'{name}'" for name in CHOICES)
_TOGETHER = text(
    "WITH chosen AS (SELECT session_id, client_id FROM events WHERE object_id = :item AND NOT set_aside "
    f"AND action_name IN ({_ACTIONS}) ORDER BY id DESC LIMIT {_MOST_CHOICES}) "
    "SELECT DISTINCT other.object_id, CASE WHEN other.client_id <> '' THEN other.client_id ELSE other.session_id END "
    "FROM events other WHERE NOT other.set_aside AND other.object_id NOT IN ('', :item) "
    f"AND other.action_name IN ({_ACTIONS}) AND (other.session_id IN (SELECT session_id FROM chosen "
    "WHERE session_id <> '') OR other.client_id IN (SELECT client_id FROM chosen WHERE client_id <> '' "
    f"AND session_id = '')) LIMIT {_MOST_ROWS}"
)
_LATEST = text(
    "SELECT session_id, CASE WHEN client_id <> '' THEN client_id ELSE session_id END, object_id FROM events "
    f"WHERE NOT set_aside AND object_id <> '' AND session_id <> '' AND action_name IN ({_ACTIONS}) "
    f"ORDER BY id DESC LIMIT {_MOST_EVENTS}"
)


@dataclass(frozen=True)
class Visit:
    """The different items that somebody chose in one session, in order."""

    person: str
    items: tuple[str, ...]


def count_co_clicks(database: Database, item_id: str, without: str = "") -> dict[str, int]:
    """By item id how many people chose both in one session, not counting the person `without`.

    Where the item's events name no session, all events of their clients count as one.
    """
    people: dict[str, set[str]] = {}
    with database.reading() as connection:
        for other, person in connection.execute(_TOGETHER, {"item": item_id}):
            if person != without:
                people.setdefault(other, set()).add(person)
    return {other: len(who) for other, who in people.items()}


def read_latest_visits(database: Database, most: int) -> list[Visit]:
    """At most `most` of the latest visits in which at least two different items were chosen."""
    chosen: dict[tuple[str, str], dict[str, None]] = {}
    with database.reading() as connection:
        for session, person, item in reversed(connection.execute(_LATEST).all()):
            chosen.setdefault((session, person), {})[item] = None
    visits = [Visit(person, tuple(items)) for (_, person), items in chosen.items() if len(items) > 1]
    return visits[-most:]
