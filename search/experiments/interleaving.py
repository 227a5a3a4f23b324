"""Interleaves the hits of two rankings in one list, so that clicks show which ranking people prefer.

Team-draft interleaving (Radlinski, Kurup and Joachims, How does clickthrough data reflect retrieval quality?, CIKM
2008): the rankings take turns in pairs, a coin decides which begins each pair, and each adds its best item
that is not in the list yet. A click counts for the ranking that added the item.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from magpie.search.experiments.exploration import seed_of
from magpie.search.ranker.named_rankings import CURRENT, FIRST_STAGE
from magpie.search.request import Hit, SearchRequest, SearchResult

FIRST, SECOND = "A", "B"


@dataclass(frozen=True)
class Interleaved:
    """The result as it is shown; `teams` has "A" or "B" for each hit: the first or second of `rankings` added it."""

    result: SearchResult
    rankings: tuple[str, str]
    teams: str

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes for the event log."""
        return {"interleave": list(self.rankings), "teams": self.teams}


def interleave(
    search: Callable[[SearchRequest], SearchResult], request: SearchRequest, rankings: tuple[str, str]
) -> Interleaved:
    """The two rankings' hits in one list; the same for a person all day, and its pages are parts of one list."""
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
    """At most `k` hits, each with its team, "A" or "B"; a list of more hits begins with the same ones."""
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
