"""Selects the choices that count in what others are shown, and bounds what one block of addresses may weigh in it.

Without a token's word a choice counts only if a search of this server showed the item: it can then have been seen. What
strangers can make up at will, names and cookies, they make up from few blocks of addresses.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, or_, select

from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import person_of

CHOICES = ("click", "add_to_cart", "purchase")  # actions that count as choosing the item
PEOPLE_OF_BLOCK = 3  # who may choose one item
EXPOSURE_OF_BLOCK = 30.0  # of one item: ten looks for each of these people


def counted_choices(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Item id, person, address and block of each choice that counts and meets these conditions.

    Address and block are "" where a token vouches.
    """
    shown = exists().where(
        queries.c.query_id == events.c.query_id,
        impressions.c.query == queries.c.id,
        impressions.c.item_id == events.c.object_id,
    )
    person = person_of(events).label("person")
    return select(events.c.object_id.label("item"), person, events.c.address, events.c.block).where(
        ~events.c.set_aside,
        events.c.object_id != "",
        events.c.action_name.in_(CHOICES),
        or_(events.c.block == "", shown),
        *conditions,
    )


def people_by_item(choices: Select[Any]) -> Select[Any]:
    """By item how many people chose it: each once, one of each address, and of a block at most PEOPLE_OF_BLOCK."""
    each = choices.subquery()
    place = func.min(each.c.address).label("address"), func.min(each.c.block).label("block")
    people = select(each.c.item, *place).group_by(each.c.item, each.c.person).subquery()  # who moves is one person
    number = case((people.c.block == "", func.count()), else_=func.count(people.c.address.distinct()))
    of_block = select(people.c.item, people.c.block, number.label("people")).group_by(people.c.item, people.c.block)
    counted = of_block.subquery()
    total = func.sum(capped(counted.c.block, counted.c.people, PEOPLE_OF_BLOCK))
    return select(counted.c.item, total).group_by(counted.c.item)


def capped(block: ColumnElement[str], amount: ColumnElement[float], most: float) -> ColumnElement[float]:
    """SQL for an amount of one block, at most so much unless a token vouches for it."""
    return case((block == "", amount), (amount > most, most), else_=amount)
