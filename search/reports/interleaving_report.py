"""Reports interleaving: which of two rankings people's clicks favour, with a sign test."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import and_, select

from magpie.data.aggregates.counted_choices import CHOICES
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.search.experiments.interleaving import SECOND


@dataclass(frozen=True)
class Comparison:
    """People whose clicks favour A, B or neither, and the chance of so uneven a split if both were equally good.

    `share_of_b` is B's share of those who decided, None without any; `p_value` is that of the exact sign test.
    """

    rankings: tuple[str, str]
    searches: int
    people: int
    for_a: int
    for_b: int
    ties: int
    share_of_b: float | None
    p_value: float


def read_comparisons(database: Database, since_ms: int = 0) -> list[Comparison]:
    """One comparison for each pair of rankings that was interleaved since then.

    A person (client, else session, else a single search) has one vote, for the team with more of their clicked items:
    so searches of one person do not count as if they were independent.
    """
    drafted = and_(
        queries.c.timestamp >= since_ms, ~queries.c.set_aside, queries.c.query_attributes.like('%"interleave"%')
    )
    names = (queries.c.query_id, queries.c.client_id, queries.c.session_id, queries.c.query_attributes)
    hit = and_(impressions.c.query == queries.c.id, impressions.c.item_id == events.c.object_id)
    clicked = (
        select(queries.c.query_id, impressions.c.position)
        .select_from(events)
        .join(queries, queries.c.query_id == events.c.query_id)
        .join(impressions, hit)
        .where(drafted, ~events.c.set_aside, events.c.action_name.in_(CHOICES))
        .distinct()
    )
    clicks: dict[str, list[int]] = {}
    votes: dict[tuple[str, str], dict[str, int]] = {}
    searches: dict[tuple[str, str], set[str]] = {}
    with database.reading() as connection:
        for query_id, position in connection.execute(clicked):
            clicks.setdefault(query_id, []).append(position)
        for row in connection.execute(select(*names).where(drafted)):
            rankings, teams = _teams_of(row.query_attributes)
            if rankings is None:
                continue
            searches.setdefault(rankings, set()).add(row.query_id)
            for team in filter(None, (teams.get(position) for position in clicks.get(row.query_id, ()))):
                person = row.client_id or row.session_id or row.query_id
                of_person = votes.setdefault(rankings, {})
                of_person[person] = of_person.get(person, 0) + (1 if team == SECOND else -1)
    return [compare(pair, len(asked), votes.get(pair, {}).values()) for pair, asked in sorted(searches.items())]


def _teams_of(attributes: str) -> tuple[tuple[str, str] | None, dict[int, str]]:
    """Which rankings were compared and by position which team added the hit; None where a record does not say."""
    known = json.loads(attributes)
    names, teams = known.get("interleave"), known.get("teams")
    if not (isinstance(names, list) and len(names) == 2 and isinstance(teams, str) and teams):
        return None, {}
    return (str(names[0]), str(names[1])), dict(enumerate(teams, start=known.get("offset", 0) + 1))


def compare(rankings: tuple[str, str], searches: int, votes: Iterable[int]) -> Comparison:
    """The sign test over people; a vote is B's clicked items less A's."""
    from scipy.special import bdtr  # here: a server that has no ranker does without it

    balance = list(votes)
    for_a, for_b = sum(vote < 0 for vote in balance), sum(vote > 0 for vote in balance)
    decided = for_a + for_b
    # a fair coin's distribution is symmetric, so both tails are twice the one
    p_value = min(1.0, 2 * float(bdtr(min(for_a, for_b), decided, 0.5))) if decided else 1.0
    share = round(for_b / decided, 4) if decided else None
    return Comparison(rankings, searches, len(balance), for_a, for_b, len(balance) - decided, share, p_value)
