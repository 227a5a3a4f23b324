"""Counts how often each item was shown lately, at which positions, and how many people chose it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, text

from magpie.data.aggregates.counted_choices import (
    CHOICES,
    EXPOSURE_OF_BLOCK,
    PEOPLE_OF_BLOCK,
    capped,
    counted_choices,
    people_by_item,
)
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import actor_of


@dataclass(frozen=True)
class ItemCount:
    """`shown` impressions, their `exposure` (an impression at position k counts 1/k), and `people` who chose it.

    1/k stands in for the propensity of a position: it needs no clicks to be known. `excess` is the exposure that blocks
    of addresses brought beyond EXPOSURE_OF_BLOCK each, which does not count against the people.
    """

    shown: int = 0
    exposure: float = 0.0
    people: int = 0
    excess: float = 0.0


def count_items(database: Database, since_ms: int) -> dict[str, ItemCount]:
    """By item id the counts of all searches and events since then that are not filtered.

    A person counts once for an item, whatever they do with it, so that nobody makes an item popular alone.
    """
    of_block = (
        select(
            impressions.c.item_id,
            queries.c.block,
            func.count().label("shown"),
            func.sum(1.0 / impressions.c.position).label("exposure"),
        )
        .join(queries, queries.c.id == impressions.c.query)
        .where(queries.c.timestamp >= since_ms, ~queries.c.set_aside)
        .group_by(impressions.c.item_id, queries.c.block)
        .subquery()
    )
    counted = func.sum(capped(of_block.c.block, of_block.c.exposure, EXPOSURE_OF_BLOCK))
    sums = func.sum(of_block.c.shown), func.sum(of_block.c.exposure), counted
    shown = select(of_block.c.item_id, *sums).group_by(of_block.c.item_id)
    chosen = people_by_item(counted_choices(events.c.timestamp >= since_ms))
    with database.reading() as connection:
        looks: Sequence[Any] = connection.execute(shown).all()
        choices: Sequence[Any] = connection.execute(chosen).all()
    seen = {row[0]: row[1:] for row in looks}
    people = {row[0]: int(row[1]) for row in choices}
    return {item_id: _count(seen.get(item_id), people.get(item_id, 0)) for item_id in seen.keys() | people.keys()}


def _count(seen: Sequence[Any] | None, people: int) -> ItemCount:
    shown, exposure, counted = seen or (0, 0.0, 0.0)
    return ItemCount(int(shown), float(exposure), people, float(exposure) - float(counted))


@dataclass(frozen=True)
class PlaceCount:
    """The numbers of impressions of an item at a position (1-based), and of clicks there in searches that showed it."""

    item_id: str
    position: int
    impressions: int
    clicks: int


def count_places(database: Database, since_ms: int) -> list[PlaceCount]:
    """The counts of every item at every position since then, without filtered records; at one place no more of a
    block of addresses than it may weigh in popularity."""
    place = impressions.c.item_id, impressions.c.position, queries.c.block
    searches = impressions.join(queries, queries.c.id == impressions.c.query)
    is_counted = and_(queries.c.timestamp >= since_ms, ~queries.c.set_aside)
    is_choice = and_(
        events.c.query_id == queries.c.query_id,
        events.c.object_id == impressions.c.item_id,
        events.c.action_name.in_(CHOICES),
        ~events.c.set_aside,
    )
    shown = select(*place, func.count().label("number")).select_from(searches).where(is_counted).group_by(*place)
    number = func.count(queries.c.id.distinct()).label("number")
    chosen = select(*place, number).select_from(searches.join(events, is_choice)).where(is_counted).group_by(*place)
    with database.reading() as connection:
        clicks = _by_place(connection, chosen, PEOPLE_OF_BLOCK)
        found = _by_place(connection, shown, int(EXPOSURE_OF_BLOCK))
    return [PlaceCount(*place, number, clicks.get(place, 0)) for place, number in found.items()]


def _by_place(connection: Connection, counted: Select[Any], most: int) -> dict[tuple[str, int], int]:
    """By item and position the numbers of all blocks together, of each at most so many."""
    each = counted.subquery()
    number = func.sum(capped(each.c.block, each.c.number, most))
    rows = connection.execute(select(each.c.item_id, each.c.position, number).group_by(each.c.item_id, each.c.position))
    return {(row[0], row[1]): int(row[2]) for row in rows}


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
