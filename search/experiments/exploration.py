"""Randomises the order of a small share of searches, to measure position bias and to show new items.

Three arms, drawn at random. "swap" exchanges two random hits of the first page: the clicks of the same item at two
positions estimate position bias (Wang et al., Position bias estimation for unbiased learning to rank, 2018). "new"
exchanges a hit of the first page with a hardly shown item from below it. "draw" ranks by rates that the ranker draws
from its posterior (Thompson sampling), so that items with few observations may rise.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from magpie.search.request import Hit, SearchRequest, SearchResult

WINDOW = 24  # positions that are randomised: one page
REACH = 60  # positions among which new items are looked for


@dataclass(frozen=True)
class Shares:
    """The shares of the arms, from 0 to 1, among searches that may explore."""

    swap: float
    new: float
    draw: float = 0.0


@dataclass(frozen=True)
class Explored:
    """The result as it is shown, and how it was randomised.

    `swapped` are two exchanged positions (1-based), of which the second may be below the page. `propensities` are, for
    each hit, the probability that this arm shows this item at this position; empty where nothing was randomised.
    """

    result: SearchResult
    arm: str = ""
    swapped: tuple[int, int] | None = None
    propensities: tuple[float, ...] = ()

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes for the event log, without the propensities."""
        return {"explore": self.arm, "swapped": list(self.swapped or ())}


def is_by_somebody(request: SearchRequest) -> bool:
    """Whether a search may be randomised: ordered by relevance and reranked, with a session or client id.

    The id is needed to repeat the same order when the same person searches again.
    """
    return request.sort == "relevance" and request.rerank and bool(request.session_id or request.client_id)


def explore(
    search: Callable[[SearchRequest], SearchResult],
    request: SearchRequest,
    shares: Shares,
    is_cold: Callable[[str], bool],
) -> Explored:
    """The result of `search`, randomised in the `shares` of the arms; for requests that are `is_by_somebody`.

    "swap" and "new" change first pages only, "draw" all pages. The arm and its random choices are the same for the same
    request of the same person (session, else client) all day. From 24 hits on, a longer page begins with the same hits.
    """
    chance = random.Random(seed_of(request))
    drawn = chance.random()
    if drawn > 1 - shares.draw:
        return _draw(search, request, chance)
    if request.offset:
        return Explored(search(request))
    if drawn < shares.new:
        return _show_new(search, request, is_cold, chance)
    result = search(request)
    window = min(WINDOW, len(result.hits))
    if window < 2 or not result.confident:
        return Explored(result)
    others = 1 - shares.new - shares.draw
    swap_share = shares.swap / others if others > 0 else 0.0
    propensities = [1 - swap_share * 2 / window] * window + [1.0] * (len(result.hits) - window)
    if drawn >= shares.new + shares.swap:
        return Explored(result, propensities=tuple(propensities))
    first, second = sorted(chance.sample(range(window), 2))
    propensities[first] = propensities[second] = swap_share / math.comb(window, 2)
    hits = _exchanged(result.hits, first, second)
    return Explored(replace(result, hits=hits), "swap", (first + 1, second + 1), tuple(propensities))


def _draw(search: Callable[[SearchRequest], SearchResult], request: SearchRequest, chance: random.Random) -> Explored:
    """The result in the order that the ranker draws; unchanged where no ranker serves this search."""
    result = search(replace(request, draw=chance.getrandbits(32)))
    if not result.confident:
        return Explored(search(request))
    propensities = tuple(hit.propensity for hit in result.hits if hit.propensity is not None)
    return Explored(result, "draw", propensities=propensities) if propensities else Explored(result)


def _show_new(
    search: Callable[[SearchRequest], SearchResult],
    request: SearchRequest,
    is_cold: Callable[[str], bool],
    chance: random.Random,
) -> Explored:
    """The result with a random cold item from below the first page exchanged with a random hit on it."""
    wide = search(replace(request, k=max(request.k, REACH)))
    window = min(WINDOW, request.k, len(wide.hits))
    below = [at for at in range(window, min(REACH, wide.total, len(wide.hits))) if is_cold(wide.hits[at].item_id)]
    if not below or not wide.confident:
        return Explored(replace(wide, hits=wide.hits[: request.k]))
    place, waiting = chance.randrange(window), chance.choice(below)
    propensities = [1 - 1 / window] * window + [1.0] * (len(wide.hits) - window)
    for at in below:
        propensities[at] = 1 - 1 / len(below)
    propensities[place] = propensities[waiting] = 1 / (window * len(below))
    hits = _exchanged(wide.hits, place, waiting)[: request.k]
    return Explored(replace(wide, hits=hits), "new", (place + 1, waiting + 1), tuple(propensities[: request.k]))


def _exchanged(hits: list[Hit], first: int, second: int) -> list[Hit]:
    shown = list(hits)
    shown[first], shown[second] = shown[second], shown[first]
    return [replace(hit, position=position) for position, hit in enumerate(shown, start=1)]


def seed_of(request: SearchRequest) -> int:
    """A 64-bit seed, the same for the same request of the same person (session, else client) on the same UTC day."""
    day = datetime.now(UTC).date().isoformat()
    filters = repr(sorted((name, str(value)) for name, value in request.filters.items()))
    parts = [request.text, request.like or "", request.not_text, request.mode, filters]
    if request.picture is not None:
        parts.append(blake2b(request.picture).hexdigest())
    key = "\0".join([day, request.session_id or request.client_id, *parts])
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
