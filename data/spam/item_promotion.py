"""Finds actors who exist to promote one item, by how many of them an item has.

A fake client that clicks once looks like a real one. But actors who click one item and little else (single-item actors)
are about as common among the clicks on one item as on any other; a promoted item has far more of them.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, func, select

from magpie.data.aggregates.counted_choices import CHOICES
from magpie.data.database.tables import events
from magpie.data.events.actor import actor_of

SINGLE_ITEM_SHARE = 0.5  # of an actor's clicks on one item, from which on it is a single-item actor
FEWEST_CLICKS = 20  # on an item, before anything is said of it
_SURELY = 5.0  # standard deviations
_LEAST_SPREAD = 0.03  # of the share of single-item actors from item to item
_NORMAL = 1.4826  # of the median absolute deviation, to estimate a standard deviation


@dataclass
class _ItemClicks:
    """Clicks on one item: all, those of single-item actors, and these actors."""

    clicks: int = 0
    single_item: int = 0
    actors: list[tuple[float, int, str]] = field(default_factory=list)  # share of the actor's clicks, clicks, actor


def promoting_actors(connection: Connection, since_ms: int = 0) -> list[str]:
    """Single-item actors of items that surely have more clicks of such actors since then than items usually have.

    The share of an item's clicks that come from single-item actors is compared with the median share over items, in
    standard deviations from the median absolute deviation and from the item's own number of clicks (Rousseeuw and
    Croux 1993), so that a few promoted items do not hide each other.
    """
    by_item = _clicks_by_item(connection, since_ms)
    items = [item for item, found in by_item.items() if found.clicks >= FEWEST_CLICKS]
    if len(items) < FEWEST_CLICKS:
        return []
    single_item = np.array([by_item[item].single_item for item in items], float)
    clicks = np.array([by_item[item].clicks for item in items], float)
    share = single_item / clicks
    usual = float(np.median(share))
    spread = max(_NORMAL * float(np.median(np.abs(share - usual))), _LEAST_SPREAD)
    doubt = np.sqrt(spread**2 + usual * (1 - usual) / clicks)
    promoted = np.flatnonzero(share - usual > _SURELY * doubt)
    return sorted({actor for place in promoted for actor in _beyond_usual(by_item[items[place]], usual)})


def _beyond_usual(found: _ItemClicks, usual: float) -> list[str]:
    """The single-item actors of an item, without as many as items usually have, those with the smallest share.

    Filtering all of them would leave a popular item with less than its true clicks.
    """
    left = usual / (1 - usual) * (found.clicks - found.single_item) if usual < 1 else 0.0
    beyond = []
    for _, clicks, actor in sorted(found.actors):
        left -= clicks
        if left < 0:
            beyond.append(actor)
    return beyond


def _clicks_by_item(connection: Connection, since_ms: int) -> dict[str, _ItemClicks]:
    """By item its clicks; several actions on one hit of a search count once, and so do all without a search."""
    actor = actor_of(events).label("actor")
    counted = func.count(events.c.query_id.distinct()).label("clicks")
    chosen = (
        select(actor, events.c.object_id, counted)
        .where(events.c.timestamp >= since_ms, events.c.action_name.in_(CHOICES), ~events.c.set_aside, actor != "")
        .group_by(actor, events.c.object_id)
    )
    rows = connection.execute(chosen).all()
    totals: dict[str, int] = defaultdict(int)
    for name, _, clicks in rows:
        totals[name] += clicks
    by_item: dict[str, _ItemClicks] = defaultdict(_ItemClicks)
    for name, item, clicks in rows:
        found = by_item[item]
        found.clicks += clicks
        if clicks >= SINGLE_ITEM_SHARE * totals[name]:
            found.single_item += clicks
            found.actors.append((clicks / totals[name], clicks, name))
    return by_item
