"""Counted clicks → the same without items that were clicked more often than anybody can have looked at them.

However well bots hide among others, what pushes an item is that it has more clicks than its place explains. Nobody
clicks what they do not look at, so where few look an item cannot have more clicks than looks. Which of its clicks there
are people's nobody can tell: what was seen of it there is left out, clicks and views alike, and it ranks as if unseen.
"""

import numpy as np

from data.click_cells import Cells
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
    looked_at = _MARGIN * np.bincount(items, (cells.impressions * looks)[seldom], len(cells.items))
    surely = clicks - looked_at > _SURELY * np.sqrt(np.maximum(looked_at, 1.0))
    left_out = seldom & (surely & (clicks >= FEWEST_CLICKS))[cells.item]
    return cells.where(~left_out), int(cells.clicks[left_out].sum())
