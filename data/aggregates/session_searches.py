"""Reads searches that people made after they had chosen something in the same session, and what they then clicked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from magpie.data.aggregates.counted_choices import counted_choices
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries

_MOST_CHOICES = 60_000  # the latest, among which sessions are looked for
_MOST_EARLIER = 20
_KEYS_PER_STATEMENT = 500


@dataclass(frozen=True)
class SessionSearch:
    """A search with words in a session: what was chosen before it, newest first; the item ids shown; and whether each
    was clicked."""

    session_id: str
    text: str
    earlier: tuple[str, ...]
    shown: tuple[str, ...]
    clicked: tuple[bool, ...]


def read_session_searches(database: Database, most: int) -> list[SessionSearch]:
    """At most `most` of the latest such searches, oldest first."""
    latest = counted_choices(events.c.session_id != "").order_by(events.c.id.desc()).limit(_MOST_CHOICES)
    with database.reading() as connection:
        columns = events.c.session_id, events.c.query_id
        rows: Sequence[Any] = connection.execute(latest.add_columns(*columns)).all()
    chosen: dict[str, list[tuple[str, str]]] = {}
    for item, _, _, _, session, query in reversed(rows):
        chosen.setdefault(session, []).append((query, item))
    wanted: dict[str, tuple[str, tuple[str, ...], set[str]]] = {}
    for session, choices in chosen.items():
        for place, (query, item) in enumerate(choices):
            earlier = tuple(other for asked, other in reversed(choices[:place]) if asked != query)[:_MOST_EARLIER]
            if query and earlier:
                wanted.setdefault(query, (session, earlier, set()))[2].add(item)
    kept = dict(list(wanted.items())[-most:])
    found = []
    for query, (text, items) in _read_pages(database, list(kept)).items():
        session, earlier, clicked = kept[query]
        found.append(SessionSearch(session, text, earlier, tuple(items), tuple(item in clicked for item in items)))
    return found


def _read_pages(database: Database, query_ids: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """The words and the items shown, by query id, of searches with words that count."""
    pages: dict[str, tuple[str, list[str]]] = {}
    columns = queries.c.query_id, queries.c.user_query, impressions.c.item_id
    with database.reading() as connection:
        for start in range(0, len(query_ids), _KEYS_PER_STATEMENT):
            some = query_ids[start : start + _KEYS_PER_STATEMENT]
            asked = select(*columns).join(impressions, impressions.c.query == queries.c.id)
            asked = asked.where(queries.c.query_id.in_(some), ~queries.c.set_aside, queries.c.user_query != "")
            for query, text, item in connection.execute(asked.order_by(queries.c.id, impressions.c.position)):
                pages.setdefault(query, (text, []))[1].append(item)
    return pages
