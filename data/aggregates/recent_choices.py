"""Reads the items that a session and a client clicked, put into the cart or bought lately, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from magpie.data.aggregates.counted_choices import CHOICES
from magpie.data.database.connection import Database
from magpie.data.events.pseudonyms import pseudonyms_of

MOST_CHOICES = 60

BOUGHT = ("purchase",)
_ACTIONS = ", ".join(f"'{name}'" for name in CHOICES)
_RECENT = (
    "SELECT e.id, i.id, e.action_name, e.timestamp, e.session_id FROM events e JOIN items i ON i.item_id = e.object_id "
    f"WHERE e.{{column}} = {{mark}} AND e.action_name IN ({_ACTIONS}) AND NOT e.set_aside AND e.is_proved "
    f"ORDER BY e.id DESC LIMIT {MOST_CHOICES}"
)
_CHOSEN = (
    "SELECT DISTINCT i.id FROM events e JOIN items i ON i.item_id = e.object_id "
    "WHERE e.{column} = {mark} AND e.action_name IN ({actions}) AND NOT e.set_aside AND e.is_proved"
)


@dataclass(frozen=True)
class RecentChoice:
    """That somebody chose an item: its `items.id`, how, when, and whether in the session that is going on."""

    id: int
    action_name: str
    timestamp_ms: int
    is_this_session: bool


def read_recent_choices(database: Database, session_id: str, client_id: str) -> list[RecentChoice]:
    """The last 60 choices of this session and this client, newest first. Items that are gone are left out, and so is
    what somebody sent in this name without a proof.

    Every search of somebody who has a name waits for this: it takes two look-ups in an index and one for each salt.
    """
    found: dict[int, RecentChoice] = {}
    with database.reading() as connection:
        for column, name in _names(connection, session_id, client_id):
            rows = connection.exec_driver_sql(_RECENT.format(column=column, mark=_mark(connection)), (name,)).all()
            for event, item, action, timestamp, session in rows:
                found[event] = RecentChoice(item, action, timestamp, bool(session_id) and session == session_id)
    return _newest(found)


def chosen_items(
    database: Database, session_id: str, client_id: str, actions: Sequence[str] = tuple(CHOICES)
) -> set[int]:
    """The `items.id` of everything that this session and this client chose in one of these ways, as far back as the log
    goes."""
    wanted = ", ".join(f"'{name}'" for name in actions)
    found: set[int] = set()
    with database.reading() as connection:
        for column, name in _names(connection, session_id, client_id):
            asked = _CHOSEN.format(column=column, mark=_mark(connection), actions=wanted)
            found |= {int(item) for (item,) in connection.exec_driver_sql(asked, (name,))}
    return found


def _names(connection: Connection, session_id: str, client_id: str) -> list[tuple[str, str]]:
    """The columns of events by which somebody is known, with what stands there."""
    session = [("session_id", session_id)] if session_id else []
    return session + [("client_id", name) for name in pseudonyms_of(connection, client_id)]


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _newest(found: dict[int, RecentChoice]) -> list[RecentChoice]:
    return [found[event] for event in sorted(found, reverse=True)][:MOST_CHOICES]
