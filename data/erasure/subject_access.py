"""Subject access: what the log stores under a session id, for the person to see and to delete."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select

from magpie.data.database.connection import Database
from magpie.data.database.tables import events, queries
from magpie.data.erasure.erase import Forgotten, erasing, note_forgotten

LATEST = 20


@dataclass(frozen=True)
class Action:
    """One action of a person on an item."""

    action_name: str
    item_id: str


@dataclass(frozen=True)
class StoredData:
    """How much is stored of a session, and the latest of it, newest first: queries and actions."""

    queries: int = 0
    events: int = 0
    searched: Sequence[str] = ()
    actions: Sequence[Action] = ()


def read_stored_data(database: Database, session_id: str) -> StoredData:
    """What is stored under a session id; recommendations, which are logged as searches too, are counted."""
    if not session_id:
        return StoredData()
    with database.reading() as connection:
        words = select(queries.c.user_query, queries.c.query_attributes).where(queries.c.session_id == session_id)
        latest = connection.execute(words.order_by(queries.c.id.desc()).limit(LATEST)).all()
        done = select(events.c.action_name, events.c.object_id).where(events.c.session_id == session_id)
        actions = connection.execute(done.order_by(events.c.id.desc()).limit(LATEST)).all()
        num_queries = connection.execute(select(func.count()).where(queries.c.session_id == session_id)).scalar_one()
        num_events = connection.execute(select(func.count()).where(events.c.session_id == session_id)).scalar_one()
    searched = [row.user_query for row in latest if not json.loads(row.query_attributes).get("typing")]
    return StoredData(num_queries, num_events, searched, [Action(row.action_name, row.object_id) for row in actions])


def forget_session(database: Database, session_id: str) -> Forgotten:
    """Deletes a session's searches and events, and events of anyone on its searches, for good."""
    if not session_id:
        return Forgotten(0, 0)
    theirs = select(queries.c.query_id).where(queries.c.session_id == session_id)
    chosen = or_(events.c.session_id == session_id, events.c.query_id.in_(theirs))
    with erasing(database) as connection:
        gone = connection.execute(delete(events).where(chosen)).rowcount
        searches = connection.execute(delete(queries).where(queries.c.session_id == session_id)).rowcount
        return note_forgotten(connection, searches, gone)
