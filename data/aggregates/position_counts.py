"""Counts impressions and clicks of each position, over searches by words alone ordered by relevance."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, distinct, func, or_, select

from magpie.data.aggregates.counted_choices import CHOICES
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import person_of

MOST_POSITIONS = 20


@dataclass(frozen=True)
class PositionCount:
    """A 1-based position, how often it was shown to how many people, and how many of these impressions were clicked."""

    position: int
    impressions: int
    people: int
    clicks: int


def count_positions(database: Database, since_ms: int, min_people: int) -> list[PositionCount]:
    """The first 20 positions since then, as far as at least `min_people` people saw them."""
    # as in click_cells: other orders than by relevance, and pictures, say nothing about the ranking of words
    plain = _plain(since_ms)
    shown = (
        select(impressions.c.position, func.count(), func.count(distinct(func.nullif(person_of(queries), ""))))
        .join(queries, queries.c.id == impressions.c.query)
        .where(plain, impressions.c.position <= MOST_POSITIONS)
        .group_by(impressions.c.position)
        .order_by(impressions.c.position)
    )
    hit = and_(impressions.c.query == queries.c.id, impressions.c.item_id == events.c.object_id)
    clicked = (
        select(impressions.c.query, impressions.c.position)
        .select_from(events)
        .join(queries, queries.c.query_id == events.c.query_id)
        .join(impressions, hit)
        .where(plain, ~events.c.set_aside, events.c.action_name.in_(CHOICES), impressions.c.position <= MOST_POSITIONS)
        .distinct()
        .subquery()
    )
    by_position = select(clicked.c.position, func.count()).group_by(clicked.c.position)
    with database.reading() as connection:
        clicks: dict[int, int] = {row[0]: row[1] for row in connection.execute(by_position)}
        found: list[Any] = list(connection.execute(shown))
    return [
        PositionCount(position, count, people, clicks.get(position, 0))
        for position, count, people in found
        if people >= min_people
    ]


def _plain(since_ms: int) -> ColumnElement[bool]:
    attributes = queries.c.query_attributes
    other = [attributes.like(f'%"{name}":%') for name in ("like", "not")]
    other += [attributes.like(f'%"{name}":true%') for name in ("picture", "typing")]
    by_relevance = or_(~attributes.like('%"sort":%'), attributes.like('%"sort":"relevance"%'))
    return and_(
        queries.c.timestamp >= since_ms, ~queries.c.set_aside, queries.c.user_query != "", by_relevance, ~or_(*other)
    )
