"""Selects the choices that count in what others are shown, and bounds what one block of addresses may weigh in it.

Without a token's word a choice counts only if a search of this server showed the item: it can then have been seen. What
strangers can make up at will, names and cookies, they make up from few blocks of addresses.
"""

from sqlalchemy import ColumnElement, Select, case, exists, func, or_, select

from magpie.data.database.tables import events, impressions, queries
from magpie.data.events.actor import person_of

CHOICES = ("click", "add_to_cart", "purchase")  # actions that count as choosing the item
PEOPLE_OF_BLOCK = 3  # who may choose one item
EXPOSURE_OF_BLOCK = 30.0  # of one item: ten looks for each of these people


def counted_choices(*conditions: ColumnElement[bool]) -> Select[tuple[str, str, str]]:
    """Item id, person and block ("" where a token vouches) of each choice that counts and meets these conditions."""
    shown = exists().where(
        queries.c.query_id == events.c.query_id,
        impressions.c.query == queries.c.id,
        impressions.c.item_id == events.c.object_id,
    )
    return select(events.c.object_id.label("item"), person_of(events).label("person"), events.c.block).where(
        ~events.c.set_aside,
        events.c.object_id != "",
        events.c.action_name.in_(CHOICES),
        or_(events.c.block == "", shown),
        *conditions,
    )


def people_by_item(choices: Select[tuple[str, str, str]]) -> Select[tuple[str, int]]:
    """By item how many people chose it: each once, and of one block not more than PEOPLE_OF_BLOCK."""
    each = choices.subquery()
    block = func.min(each.c.block).label("block")  # who moves from one to another is still one person
    people = select(each.c.item, block).group_by(each.c.item, each.c.person).subquery()
    of_block = (
        select(people.c.item, people.c.block, func.count().label("people"))
        .group_by(people.c.item, people.c.block)
        .subquery()
    )
    counted = capped(of_block.c.block, of_block.c.people, PEOPLE_OF_BLOCK)
    return select(of_block.c.item, func.sum(counted)).group_by(of_block.c.item)


def capped(block: ColumnElement[str], amount: ColumnElement[float], most: float) -> ColumnElement[float]:
    """SQL for an amount of one block, at most so much unless a token vouches for it."""
    return case((block == "", amount), (amount > most, most), else_=amount)
