"""Counted clicks → the same without items that were clicked more often than anybody can have looked at them.

However well bots hide among others, what pushes an item is that it has more clicks than its place explains. Nobody
clicks what they do not look at, so where few look an item cannot have more clicks than looks. Which of its clicks there
are people's nobody can tell: what was seen of it there is left out, clicks and views alike, and it ranks as if unseen.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.click_cells import Cells, count_cells
from magpie.data.aggregates.item_counts import PlaceCount, count_sources
from magpie.data.database.connection import Database
from magpie.search.click_models.click_models import ClickModel, ClickModelReport, choose_click_model

OVERCLICKED = "clicks on items that have more of them than looks"
FEWEST_CLICKS = 20  # on an item, before anything is said of it
_SELDOM = 0.5  # of the chances to be looked at: above, an item may well have as many clicks as looks
_MARGIN = 1.25  # by which the estimate of looks may be too low
_SURELY = 5.0  # standard deviations of a count
_CHOICES_BESIDE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True)
class Pushed:
    """An item that was clicked more often than looked at: who pushes it, and the people who may judge it."""

    item_id: str
    pushers: frozenset[str]
    known: frozenset[str]


def judged_by_the_known(database: Database, cells: Cells, browsing: ClickModelReport) -> tuple[Cells, ClickModelReport]:
    """The cells without all that those did who push an item, and how people look by what is left.

    Such an item is judged, at places where few look, by people alone who did enough else. How much that is, is the
    least by which it has no more clicks than looks: who pushes must do as much beside each click on it. Where there is
    no such measure, the item is left as if it had not been seen there.
    """
    left_out = _left_out(cells, browsing.model)
    items = [cells.items[item] for item in np.unique(cells.item[left_out])]
    found = [one for item in items if (one := _pushed(database, item, browsing.model)) is not None]
    if not found:
        return cells.where(~left_out), browsing
    pushers = frozenset().union(*(one.pushers for one in found))
    whole = count_cells(database, lambda source: source not in pushers)
    browsing = choose_click_model(whole)
    kept = whole.where(~_seldom_seen(whole, items, browsing.model))
    for one in found:
        counted = count_cells(database, (one.known - pushers).__contains__)
        kept = kept.with_rows_of(counted.where(_seldom_seen(counted, [one.item_id], browsing.model)))
    return kept, browsing


def _seldom_seen(cells: Cells, items: Sequence[str], browsing: ClickModel) -> np.ndarray:
    """(n,) whether a cell is one of these items at a place where few look."""
    is_one = np.array([name in items for name in cells.items], bool)[cells.item]
    return np.asarray(is_one & (browsing.examination(cells.position, cells.after) < _SELDOM))


def _pushed(database: Database, item_id: str, browsing: ClickModel) -> Pushed | None:
    """Who pushes the item, None where no measure of what people do beside tells them apart."""
    counts = count_sources(database, item_id)
    position = np.array([one.position for one in counts], np.int64)
    looks = browsing.examination(position, np.zeros(len(counts), np.int64))
    beside, clicks = (np.array([getattr(one, name) for one in counts], float) for name in ("beside", "clicks"))
    looked_at = looks * np.array([one.impressions for one in counts], float)
    for fewest in _CHOICES_BESIDE:
        judging = (looks < _SELDOM) & (beside >= fewest)
        if not judging.any():
            return None
        if not _is_beyond(clicks[judging].sum(keepdims=True), looked_at[judging].sum(keepdims=True))[0]:
            known = frozenset(one.source for one in counts if one.beside >= fewest)
            return Pushed(item_id, frozenset(one.source for one in counts if one.clicks) - known, known)
    return None


def without_overclicked(cells: Cells, browsing: ClickModel) -> Cells:
    """The cells without those of such items at places where few look."""
    return cells.where(~_left_out(cells, browsing))


def _left_out(cells: Cells, browsing: ClickModel) -> np.ndarray:
    looks = browsing.examination(cells.position, cells.after)
    seldom = looks < _SELDOM
    items = cells.item[seldom]
    clicks = np.bincount(items, cells.clicks[seldom], len(cells.items))
    looked_at = np.bincount(items, (cells.impressions * looks)[seldom], len(cells.items))
    return np.asarray(seldom & _is_beyond(clicks, looked_at)[cells.item])


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
