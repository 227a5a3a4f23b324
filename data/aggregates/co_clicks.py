"""Counts co-clicks: for an item, what the same people chose in the same session, and how many did."""

from collections import defaultdict

from sqlalchemy import or_, select

from magpie.data.aggregates.counted_choices import PEOPLE_OF_BLOCK, counted_choices
from magpie.data.database.connection import Database
from magpie.data.database.tables import events

FEWEST_PEOPLE = 2  # fewer would show others what one person chose
_MOST_CHOICES = 500  # of the item, the latest
_MOST_ROWS = 20_000


def count_co_clicks(database: Database, item_id: str) -> dict[str, int]:
    """By item id how many people chose both in one session, where at least two did; of one block of addresses no more
    than PEOPLE_OF_BLOCK count.

    Where the item's events name no session, all events of their clients count as one.
    """
    of_item = counted_choices(events.c.object_id == item_id).order_by(events.c.id.desc()).limit(_MOST_CHOICES)
    chosen = of_item.with_only_columns(events.c.session_id, events.c.client_id).cte("chosen")
    together = or_(
        events.c.session_id.in_(select(chosen.c.session_id).where(chosen.c.session_id != "")),
        events.c.client_id.in_(select(chosen.c.client_id).where(chosen.c.client_id != "", chosen.c.session_id == "")),
    )
    others = counted_choices(events.c.object_id != item_id, together).distinct().limit(_MOST_ROWS)
    people: dict[str, dict[str, str]] = defaultdict(dict)
    with database.reading() as connection:
        for other, person, block in connection.execute(others):
            people[other][person] = min(block, people[other].get(person, block))
    counts = {other: _count(list(of_person.values())) for other, of_person in people.items()}
    return {other: count for other, count in counts.items() if count >= FEWEST_PEOPLE}


def _count(blocks: list[str]) -> int:
    """How many people with these blocks count."""
    return sum(
        blocks.count(block) if block == "" else min(blocks.count(block), PEOPLE_OF_BLOCK) for block in set(blocks)
    )
