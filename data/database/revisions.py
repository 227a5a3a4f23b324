"""The catalogue's running number: every change to an item takes one, so that an index knows what came after it."""

from sqlalchemy import Connection, select, update

from magpie.data.database.tables import counters


def take_revisions(connection: Connection, count: int) -> int:
    """The first of `count` fresh revision numbers; the caller's transaction holds them."""
    connection.execute(update(counters).where(counters.c.name == "revision").values(value=counters.c.value + count))
    last = connection.execute(select(counters.c.value).where(counters.c.name == "revision")).scalar_one()
    return int(last) - count + 1
