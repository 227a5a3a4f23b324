"""Queries that so many different people searched that they may be shown to others."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import text

from magpie.data.aggregates.blocked_phrases import is_offensive
from magpie.data.database.connection import Database
from magpie.data.events.pseudonyms import SPAN_DAYS
from magpie.data.events.query_normalisation import query_key

DAY_MS = 86_400_000
_LONGEST = 60  # characters
_TELLING = re.compile(r"@|\d{5}|://")  # addresses and long numbers may identify a person
_FEWEST_DAYS = 2  # on which strangers must have searched for it
_SEARCHED = text(
    "SELECT DISTINCT user_query, timestamp / :day, client_id, session_id, block FROM queries WHERE timestamp >= :since "
    "AND NOT set_aside AND (client_id <> '' OR block <> '') AND is_proved AND user_query <> '' "
    "AND query_attributes NOT LIKE '%\"typing\"\\:true%' "
    "AND (application <> 'magpie' OR query_attributes LIKE '%\"confident\"\\:true%')"
)


@dataclass
class _Searchers:
    """Who searched for a query within one span: clients that a token vouches for, and strangers who proved a name, with
    their blocks of addresses and their days."""

    vouched: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    blocks: set[str] = field(default_factory=set)
    days: set[int] = field(default_factory=set)

    def count(self) -> int:
        """How many people they surely are: of one block one, and none of a single day without a token's word."""
        strangers = min(len(self.strangers), len(self.blocks)) if len(self.days) >= _FEWEST_DAYS else 0
        return len(self.vouched) + strangers


def shared_queries(database: Database, since_ms: int, min_clients: int) -> list[tuple[str, int]]:
    """Queries of at least `min_clients` different clients with how many, in alphabetical order, in lower case.

    Clients count if a token or an import vouches for them, or if they proved their name, come from different blocks of
    addresses, and searched on at least two days. Their names change every 30 days, so they are counted within each such
    span, and the best span counts. Searches while typing, without a client, or without a confident answer do not count,
    and queries that hold an address, a long number or a blocked word are left out.
    """
    found: dict[tuple[str, int], _Searchers] = defaultdict(_Searchers)
    with database.reading() as connection:
        rows = connection.execute(_SEARCHED, {"since": since_ms, "day": DAY_MS})
        for words, day, client, session, block in rows:
            query = query_key(words)
            if may_be_shown(query):
                _add(found[query, day // SPAN_DAYS], day, client or session, block)
    most: dict[str, int] = {}
    for (query, _), searchers in found.items():
        count = searchers.count()
        if count >= min_clients:
            most[query] = max(count, most.get(query, 0))
    return sorted((query, count) for query, count in most.items() if not is_offensive(query))


def _add(searchers: _Searchers, day: int, name: str, block: str) -> None:
    if not block:
        searchers.vouched.add(name)
    else:
        searchers.strangers.add(name)
        searchers.blocks.add(block)
        searchers.days.add(day)


def may_be_shown(query: str) -> bool:
    """Whether a query may be shown to others: it is short, and holds no address and no long number."""
    return 1 < len(query) <= _LONGEST and not _TELLING.search(query)
