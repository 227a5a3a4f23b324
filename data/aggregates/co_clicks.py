"""Counts co-clicks: for an item, what the same people chose in the same session, and how many did."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from magpie.data.aggregates.counted_choices import PEOPLE_OF_BLOCK, counted_choices
from magpie.data.database.connection import Database
from magpie.data.database.tables import events

_MOST_CHOICES = 500  # of the item, the latest
_MOST_ROWS = 20_000
_MOST_EVENTS = 20_000  # among which the latest visits are looked for


@dataclass(frozen=True)
class Visit:
    """The different items that somebody chose in one session, in order."""

    person: str
    items: tuple[str, ...]


def count_co_clicks(database: Database, item_id: str, without: str = "") -> dict[str, int]:
    """By item id how many people chose both in one session, counted as `people_by_item` does, without one of them.

    Where the item's events name no session, all events of their clients count as one.
    """
    of_item = counted_choices(events.c.object_id == item_id).order_by(events.c.id.desc()).limit(_MOST_CHOICES)
    chosen = of_item.with_only_columns(events.c.session_id, events.c.client_id).cte("chosen")
    together = or_(
        events.c.session_id.in_(select(chosen.c.session_id).where(chosen.c.session_id != "")),
        events.c.client_id.in_(select(chosen.c.client_id).where(chosen.c.client_id != "", chosen.c.session_id == "")),
    )
    others = counted_choices(events.c.object_id != item_id, together).distinct().limit(_MOST_ROWS)
    people: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    with database.reading() as connection:
        rows: Sequence[Any] = connection.execute(others).all()
        for other, person, address, block in rows:
            if person != without:
                place = (block, address)
                people[other][person] = min(place, people[other].get(person, place))
    return {other: _count(of_person.values()) for other, of_person in people.items()}


def read_latest_visits(database: Database, most: int) -> list[Visit]:
    """At most `most` of the latest visits in which at least two different items were chosen."""
    latest = counted_choices(events.c.session_id != "").order_by(events.c.id.desc()).limit(_MOST_EVENTS)
    chosen: dict[tuple[str, str], dict[str, None]] = {}
    with database.reading() as connection:
        rows: Sequence[Any] = connection.execute(latest.add_columns(events.c.session_id)).all()
        for item, person, _, _, session in reversed(rows):
            chosen.setdefault((session, person), {})[item] = None
    visits = [Visit(person, tuple(items)) for (_, person), items in chosen.items() if len(items) > 1]
    return visits[-most:]


def _count(places: Collection[tuple[str, str]]) -> int:
    """How many people with these blocks and addresses count."""
    vouched = sum(not block for block, _ in places)
    of_block = Counter(block for block, _ in set(places) if block)
    return vouched + sum(min(number, PEOPLE_OF_BLOCK) for number in of_block.values())
