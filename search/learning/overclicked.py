"""Counted clicks → the same without items that were clicked more often than anybody can have looked at them.

However well bots hide among others, what pushes an item is that it has more clicks than its place explains. Nobody
clicks what they do not look at, so where few look an item cannot have more clicks than looks. Which of its clicks there
are people's nobody can tell: what was seen of it there is left out, clicks and views alike, and it ranks as if unseen.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from data.click_cells import Cells
from data.item_counts import PlaceCount
from search.learning.browsing import BrowsingModel

OVERCLICKED = "clicks on items that have more of them than looks"
FEWEST_CLICKS = 20  # on an item, before anything is said of it
_SELDOM = 0.5  # of the chances to be looked at: above, an item may well have as many clicks as looks
_MARGIN = 1.25  # by which the estimate of looks may be too low
_SURELY = 5.0  # standard deviations of a count


def without_overclicked(cells: Cells, browsing: BrowsingModel) -> tuple[Cells, int]:
    """The cells without those of such items at places where few look, and how many clicks these had."""
    looks = browsing.examination(cells.position, cells.after)
    seldom = looks < _SELDOM
    items = cells.item[seldom]
    clicks = np.bincount(items, cells.clicks[seldom], len(cells.items))
    looked_at = np.bincount(items, (cells.impressions * looks)[seldom], len(cells.items))
    left_out = seldom & _is_beyond(clicks, looked_at)[cells.item]
    return cells.where(~left_out), int(cells.clicks[left_out].sum())


def overclicked_items(counts: Iterable[PlaceCount], theta: np.ndarray) -> frozenset[str]:
    """The items of which this is true by what was counted at each place, at the examination (POSITIONS,) `theta`."""
    clicks: dict[str, int] = defaultdict(int)
    looks: dict[str, float] = defaultdict(float)
    for count in counts:
        looked_at = float(theta[min(count.position, len(theta)) - 1])
        if looked_at < _SELDOM:
            clicks[count.item_id] += count.clicks
            looks[count.item_id] += count.impressions * looked_at
    items = list(clicks)
    beyond = _is_beyond(np.array([clicks[one] for one in items], float), np.array([looks[one] for one in items], float))
    return frozenset(one for one, is_beyond in zip(items, beyond, strict=True) if is_beyond)


def _is_beyond(clicks: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """(n,) whether there are surely more clicks than looks."""
    most = _MARGIN * looks
    return (clicks >= FEWEST_CLICKS) & (clicks - most > _SURELY * np.sqrt(np.maximum(most, 1.0)))
