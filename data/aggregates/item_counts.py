"""Counts how often each item was shown lately, at which positions, and how many people chose it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, func, select, text

from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import actor_of

CHOICES = ("click", "add_to_cart", "purchase")  # actions that count as choosing the item


@dataclass(frozen=True)
class ItemCount:
    """`shown` impressions, their `exposure` (an impression at position k counts 1/k), and `people` who chose it.

    1/k stands in for the propensity of a position: it needs no clicks to be known.
    """

    shown: int = 0
    exposure: float = 0.0
    people: int = 0


def count_items(database: Database, since_ms: int) -> dict[str, ItemCount]:
    """By item id the counts of all searches and events since then that are not filtered.

    A person counts once for an item, whatever they do with it, so that nobody makes an item popular alone.
    """
    actions = ", ".join(f"'{name}'" for name in CHOICES)
    shown = text(
        "SELECT i.item_id, count(*), sum(1.0 / i.position) FROM queries q JOIN impressions i ON i.query = q.id "
        "WHERE q.timestamp >= :since AND NOT q.set_aside GROUP BY i.item_id"
    )
    chosen = text(
        "SELECT object_id, count(DISTINCT CASE WHEN client_id <> '' THEN client_id ELSE session_id END) FROM events "
        f"WHERE timestamp >= :since AND NOT set_aside AND object_id <> '' AND action_name IN ({actions}) "
        "GROUP BY object_id"
    )
    with database.reading() as connection:
        impressions = {row[0]: (row[1], float(row[2])) for row in connection.execute(shown, {"since": since_ms})}
        people = {row[0]: row[1] for row in connection.execute(chosen, {"since": since_ms})}
    nothing = (0, 0.0)
    return {
        item_id: ItemCount(*impressions.get(item_id, nothing), people.get(item_id, 0))
        for item_id in impressions.keys() | people.keys()
    }


@dataclass(frozen=True)
class PlaceCount:
    """The numbers of impressions of an item at a position (1-based), and of clicks there in searches that showed it."""

    item_id: str
    position: int
    impressions: int
    clicks: int


def count_places(database: Database, since_ms: int) -> list[PlaceCount]:
    """The counts of every item at every position since then, without filtered records."""
    actions = ", ".join(f"'{name}'" for name in CHOICES)
    shown = text(
        "SELECT i.item_id, i.position, count(*) FROM queries q JOIN impressions i ON i.query = q.id "
        "WHERE q.timestamp >= :since AND NOT q.set_aside GROUP BY i.item_id, i.position"
    )
    chosen = text(
        "SELECT i.item_id, i.position, count(DISTINCT q.id) FROM events e JOIN queries q ON q.query_id = e.query_id "
        "JOIN impressions i ON i.query = q.id AND i.item_id = e.object_id "
        f"WHERE q.timestamp >= :since AND NOT q.set_aside AND NOT e.set_aside AND e.action_name IN ({actions}) "
        "GROUP BY i.item_id, i.position"
    )
    with database.reading() as connection:
        clicks = {(row[0], row[1]): row[2] for row in connection.execute(chosen, {"since": since_ms})}
        found = connection.execute(shown, {"since": since_ms}).all()
    return [PlaceCount(row[0], row[1], row[2], clicks.get((row[0], row[1]), 0)) for row in found]


@dataclass(frozen=True)
class ActorCount:
    """Impressions and clicks of one actor on one item at one position (1-based), and other hits it chose (`beside`)."""

    actor: str
    position: int
    impressions: int
    clicks: int
    beside: int


def count_actors(database: Database, item_id: str) -> list[ActorCount]:
    """The counts of one item by actor and position, without filtered records and without unknown actors."""
    of_event, of_query = actor_of(events), actor_of(queries)
    is_choice = and_(~events.c.set_aside, events.c.action_name.in_(CHOICES))
    chosen_hit = events.c.query_id + "/" + events.c.object_id
    beside = select(of_event, func.count(chosen_hit.distinct())).where(is_choice, events.c.object_id != item_id)
    is_choice_of_it = and_(events.c.query_id == queries.c.query_id, events.c.object_id == item_id, is_choice)
    searches = impressions.join(queries, queries.c.id == impressions.c.query).outerjoin(events, is_choice_of_it)
    counts = func.count(queries.c.id.distinct()), func.count(events.c.query_id.distinct())
    shown = select(of_query, impressions.c.position, *counts).select_from(searches)
    shown = shown.where(impressions.c.item_id == item_id, ~queries.c.set_aside)
    with database.reading() as connection:
        others = {row[0]: row[1] for row in connection.execute(beside.group_by(of_event))}
        found = connection.execute(shown.group_by(of_query, impressions.c.position)).all()
    return [ActorCount(row[0], row[1], row[2], row[3], others.get(row[0], 0)) for row in found if row[0]]


def is_cold(counts: Mapping[str, ItemCount], item_id: str, below: int) -> bool:
    """Whether an item has fewer than `below` impressions, too few to estimate its click rate."""
    return counts.get(item_id, ItemCount()).shown < below


def first_shown(database: Database) -> dict[str, int]:
    """By item id when it was first shown, in milliseconds since 1970, as far as the log reaches back."""
    shown = text(
        "SELECT i.item_id, min(q.timestamp) FROM queries q JOIN impressions i ON i.query = q.id "
        "WHERE NOT q.set_aside GROUP BY i.item_id"
    )
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(shown)}
