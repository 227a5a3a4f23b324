"""Queries that so many different people searched that they may be shown to others."""

import re

from sqlalchemy import text

from magpie.data.database.connection import Database
from magpie.data.events.pseudonyms import SPAN_MS
from magpie.data.events.query_normalisation import query_key

_LONGEST = 60  # characters
_TELLING = re.compile(r"@|\d{5}|://")  # addresses and long numbers may identify a person
_SEARCHED = text(
    "SELECT DISTINCT user_query, timestamp / :span, client_id FROM queries WHERE timestamp >= :since "
    "AND NOT set_aside AND client_id <> '' AND user_query <> '' AND query_attributes NOT LIKE '%\"typing\"\\:true%' "
    "AND (application <> 'magpie' OR query_attributes LIKE '%\"confident\"\\:true%')"
)


def shared_queries(database: Database, since_ms: int, min_clients: int) -> list[tuple[str, int]]:
    """Queries of at least `min_clients` different clients with how many, in alphabetical order, in lower case.

    A client's name changes every 30 days, so clients are counted within each such span, and the best span counts.
    Searches while typing, without a client, or without a confident answer do not count, and queries that hold an
    address or a long number are left out.
    """
    clients: dict[tuple[str, int], set[str]] = {}
    with database.reading() as connection:
        for words, span, client in connection.execute(_SEARCHED, {"since": since_ms, "span": SPAN_MS}):
            query = query_key(words)
            if may_be_shown(query):
                clients.setdefault((query, span), set()).add(client)
    most: dict[str, int] = {}
    for (query, _), names in clients.items():
        if len(names) >= min_clients:
            most[query] = max(len(names), most.get(query, 0))
    return sorted(most.items())


def may_be_shown(query: str) -> bool:
    """Whether a query may be shown to others: it is short, and holds no address and no long number."""
    return 1 < len(query) <= _LONGEST and not _TELLING.search(query)
