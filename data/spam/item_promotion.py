"""The click log → sources that exist to push one item, found by how many of them there are for it.

Nobody can tell a made-up client that clicks once from a real one. But people who click one item and little else are
about as common among the clicks on one item as on any other; an item that is pushed has far more of them.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, func, select

from magpie.data.aggregates.item_counts import CHOICES
from magpie.data.database.tables import events
from magpie.data.events.actor import actor_of

DEVOTED = 0.5  # of a source's clicks on one item
FEWEST_CLICKS = 20  # on an item, before anything is said of it
_SURELY = 5.0  # standard deviations
_LEAST_SPREAD = 0.03  # of the share of devoted sources from item to item
_NORMAL = 1.4826  # of the median absolute deviation, to estimate a standard deviation


@dataclass
class _Devotion:
    """Clicks on one item: all, those of sources devoted to it, and who these are."""

    clicks: int = 0
    devoted: int = 0
    sources: list[tuple[float, int, str]] = field(default_factory=list)  # devotion, clicks, name


def promoting_actors(connection: Connection, since_ms: int = 0) -> list[str]:
    """Sources devoted to an item that surely has more choices of such sources than items usually have, since then.

    The share of an item's clicks that come from devoted sources is compared with the median share over items, in
    standard deviations from the median absolute deviation and from the item's own number of clicks (Rousseeuw and
    Croux 1993), so that a few pushed items do not hide each other.
    """
    by_item = _devotion(connection, since_ms)
    items = [item for item, found in by_item.items() if found.clicks >= FEWEST_CLICKS]
    if len(items) < FEWEST_CLICKS:
        return []
    devoted = np.array([by_item[item].devoted for item in items], float)
    clicks = np.array([by_item[item].clicks for item in items], float)
    share = devoted / clicks
    usual = float(np.median(share))
    spread = max(_NORMAL * float(np.median(np.abs(share - usual))), _LEAST_SPREAD)
    doubt = np.sqrt(spread**2 + usual * (1 - usual) / clicks)
    pushed = np.flatnonzero(share - usual > _SURELY * doubt)
    return sorted({source for place in pushed for source in _beyond_usual(by_item[items[place]], usual)})


def _beyond_usual(found: _Devotion, usual: float) -> list[str]:
    """Those devoted to an item but for so many as items usually have beside their other clicks, the least devoted.

    Without these an item that people want, and are devoted to as to others, would be left with those who passed it by.
    """
    left = usual / (1 - usual) * (found.clicks - found.devoted) if usual < 1 else 0.0
    beyond = []
    for _, clicks, source in sorted(found.sources):
        left -= clicks
        if left < 0:
            beyond.append(source)
    return beyond


def _devotion(connection: Connection, since_ms: int) -> dict[str, _Devotion]:
    """By item who chose it, a hit of one search counting once, and so all that came without a search."""
    source = actor_of(events).label("source")
    counted = func.count(events.c.query_id.distinct()).label("clicks")
    chosen = (
        select(source, events.c.object_id, counted)
        .where(events.c.timestamp >= since_ms, events.c.action_name.in_(CHOICES), ~events.c.set_aside, source != "")
        .group_by(source, events.c.object_id)
    )
    rows = connection.execute(chosen).all()
    totals: dict[str, int] = defaultdict(int)
    for name, _, clicks in rows:
        totals[name] += clicks
    by_item: dict[str, _Devotion] = defaultdict(_Devotion)
    for name, item, clicks in rows:
        found = by_item[item]
        found.clicks += clicks
        if clicks >= DEVOTED * totals[name]:
            found.devoted += clicks
            found.sources.append((clicks / totals[name], clicks, name))
    return by_item
