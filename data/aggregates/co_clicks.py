"""Counts co-clicks: for an item, what the same people chose in the same session, and how many did."""

from sqlalchemy import text

from magpie.data.aggregates.item_counts import CHOICES
from magpie.data.database.connection import Database

FEWEST_PEOPLE = 2  # fewer would show others what one person chose
_MOST_CHOICES = 500  # of the item, the latest
_MOST_ROWS = 20_000

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


def count_co_clicks(database: Database, item_id: str) -> dict[str, int]:
    """By item id how many people chose both in one session, where at least two did.

    Where the item's events name no session, all events of their clients count as one.
    """
    people: dict[str, set[str]] = {}
    with database.reading() as connection:
        for other, person in connection.execute(_TOGETHER, {"item": item_id}):
            people.setdefault(other, set()).add(person)
    return {other: len(who) for other, who in people.items() if len(who) >= FEWEST_PEOPLE}
