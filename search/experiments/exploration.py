"""Exploration: answers a small share of searches in a changed order, to measure positions and to show new items.

Three arms, drawn by chance. "swap" exchanges two random hits of the first page: what the same item gets at two
positions tells how much a position is worth (Wang et al., Position bias estimation for unbiased learning to rank,
2018). "new" lets an item that was hardly shown yet, and that would stand below the page, change places with one on it.
"draw" lets the ranker draw each item's rate from what it believes, so that what it hardly knows may come up.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from magpie.search.request import Hit, SearchRequest, SearchResult

WINDOW = 24  # positions that take part: a page
REACH = 60  # how far down a new item may wait


@dataclass(frozen=True)
class Shares:
    """Of all searches that may explore, the share with a swap, with a new item, and with an order that is drawn."""

    swap: float
    new: float
    draw: float = 0.0


@dataclass(frozen=True)
class Explored:
    """The answer as it is shown. `swapped` are two positions, the second one perhaps below the page.

    `propensities` are, hit by hit, the probability with which this arm shows this item at this position; empty where
    nothing was left to chance.
    """

    result: SearchResult
    arm: str = ""
    swapped: tuple[int, int] | None = None
    propensities: tuple[float, ...] = ()

    @property
    def attributes(self) -> dict[str, Any]:
        """What the log keeps of it, besides the propensities."""
        return {"explore": self.arm, "swapped": list(self.swapped or ())}


def is_by_somebody(request: SearchRequest) -> bool:
    """Whether chance may touch this search: an order by relevance, for somebody who says who they are.

    Only then can the same person, asking again, be given the same answer.
    """
    return request.sort == "relevance" and request.rerank and bool(request.session_id or request.client_id)


def explore(
    search: Callable[[SearchRequest], SearchResult],
    request: SearchRequest,
    shares: Shares,
    is_cold: Callable[[str], bool],
) -> Explored:
    """The answer, in its share of searches with two hits exchanged, on first pages, or drawn, on all pages.

    A longer page begins alike, from 24 hits on. For searches that are `is_by_somebody`.

    The same person (session, or else client) who asks the same question again on the same day gets the same draw.
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
    """The order that the ranker draws; as it is where no ranker is published for this search."""
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
    """A hit below the first page that matches and was hardly shown, in the place of one on the page."""
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
    """The same number for the same question of the same person (session, or else client) on the same day."""
    day = datetime.now(UTC).date().isoformat()
    filters = repr(sorted((name, str(value)) for name, value in request.filters.items()))
    asked = [request.text, request.like or "", request.not_text, request.mode, filters]
    if request.picture is not None:
        asked.append(blake2b(request.picture).hexdigest())
    key = "\0".join([day, request.session_id or request.client_id, *asked])
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
