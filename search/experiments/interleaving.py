"""Two rankings → one list in which each has the same chance: which of them people click more tells which is better.

Team-draft interleaving (Radlinski, Kurup and Joachims, How does clickthrough data reflect retrieval quality?, CIKM
2008): like two captains who choose players, the rankings take turns in pairs, a coin decides who begins each pair, and
each adds its best item that is not in the list yet. A click counts for the ranking that added the item.
"""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, select

from magpie.data.aggregates.item_counts import CHOICES
from magpie.data.database.connection import Database
from magpie.data.database.tables import events, impressions, queries
from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.search.experiments.exploration import seed_of
from magpie.search.ranker.ranker_store import ranker_versions
from magpie.search.ranker.reranker import FIRST_STAGE
from magpie.search.request import Hit, SearchRequest, SearchResult

FIRST, SECOND = "A", "B"
CURRENT = "current"  # whatever ranker is published
_ALIASES = {"none": FIRST_STAGE}


@dataclass(frozen=True)
class Interleaved:
    """The answer as it is shown; `teams` says for each hit which of the two `rankings` added it, as "A" or "B"."""

    result: SearchResult
    rankings: tuple[str, str]
    teams: str

    @property
    def attributes(self) -> dict[str, Any]:
        """What the log keeps of it."""
        return {"interleave": list(self.rankings), "teams": self.teams}


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


def check_rankings(text: str) -> tuple[str, str]:
    """The two rankings of a setting such as "first-stage current", or of versions under rankers/. Raises BadSetting."""
    names = [_ALIASES.get(name, name) for name in text.split()]
    if len(names) != 2 or names[0] == names[1]:
        raise BadSetting(
            f"--compare {text!r}: give two different ones of {FIRST_STAGE}, {CURRENT} and the versions under rankers/"
        )
    return names[0], names[1]


def compared_versions(settings: Settings) -> list[str]:
    """The versions under rankers/ that the setting `compare` names. Raises BadSetting."""
    if not settings.compare:
        return []
    return [name for name in check_rankings(settings.compare) if name not in (FIRST_STAGE, CURRENT)]


def find_rankings(settings: Settings, text: str) -> str:
    """The same two rankings with the versions' whole names; numbers do in their place. Raises BadSetting."""
    versions = ranker_versions(settings)
    short = {version.partition("-")[0].lstrip("0"): version for version in versions}
    known = {FIRST_STAGE: FIRST_STAGE, CURRENT: CURRENT} | {version: version for version in versions} | short
    names = [known.get(name.lstrip("0") if name.isdigit() else name) for name in check_rankings(text)]
    if None in names:
        there = ", ".join([FIRST_STAGE, CURRENT, *versions])
        raise BadSetting(f"--compare {text!r}: there is no such ranking. There are: {there}")
    return " ".join(check_rankings(" ".join(filter(None, names))))


def interleave(
    search: Callable[[SearchRequest], SearchResult], request: SearchRequest, rankings: tuple[str, str]
) -> Interleaved:
    """The two rankings' answers drafted into one; the same for the same person all day, and page by page one list."""
    whole = replace(request, offset=0, k=request.offset + request.k)
    answers = [search(_ranked_by(name, whole)) for name in rankings]
    drafted = draft_teams(answers[0].hits, answers[1].hits, whole.k, random.Random(seed_of(request)))
    shown = drafted[request.offset :]
    hits = [replace(hit, position=place) for place, (hit, _) in enumerate(shown, start=request.offset + 1)]
    took_ms = round(sum(answer.took_ms for answer in answers), 2)
    result = replace(answers[1], hits=hits, took_ms=took_ms, ranker="+".join(answer.ranker for answer in answers))
    return Interleaved(result, rankings, "".join(team for _, team in shown))


def _ranked_by(name: str, request: SearchRequest) -> SearchRequest:
    version = "" if name in (FIRST_STAGE, CURRENT) else name
    return replace(request, rerank=name != FIRST_STAGE, ranker=version)


def draft_teams(first: Sequence[Hit], second: Sequence[Hit], k: int, chance: random.Random) -> list[tuple[Hit, str]]:
    """At most k hits, each with the team that added it; a longer draft begins with the shorter one."""
    drafted: list[tuple[Hit, str]] = []
    taken: set[str] = set()
    waiting = {FIRST: iter(first), SECOND: iter(second)}
    while True:
        teams = (FIRST, SECOND) if chance.random() < 0.5 else (SECOND, FIRST)
        before = len(drafted)
        for team in teams:
            best = next((hit for hit in waiting[team] if hit.item_id not in taken), None)
            if best is not None:
                taken.add(best.item_id)
                drafted.append((best, team))
            if len(drafted) >= k:
                return drafted
        if len(drafted) == before:
            return drafted


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
