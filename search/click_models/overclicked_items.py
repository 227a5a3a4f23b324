"""Finds items with more clicks than people can have looked at them, and leaves the clicks of their promoters out.

Nobody clicks what they do not look at. So at positions that few people examine, an item with more clicks than
examinations is promoted by bots, however well these imitate people. Its clicks and impressions at such positions are
left out, since nothing tells which of them are people's. Looks are counted under the flattest curve of the band, since
too low a curve would make promoters of honest people; where even so many clicks are beyond looks, it is the curve that
they refute.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates, count_click_aggregates
from magpie.data.aggregates.item_counts import PlaceCount, count_actors
from magpie.data.database.connection import Database
from magpie.search.click_models.click_models import ClickModel, ClickModelReport, choose_click_model
from magpie.search.click_models.position_bias import assumed_propensities

OVERCLICKED = "clicks on items that have more of them than looks"
FEWEST_CLICKS = 20  # on an item, below which it is not judged
_SELDOM = 0.5  # probability of examination above which an item may well have as many clicks as examinations
_MARGIN = 1.25  # by which the estimate of examinations may be too low
_SURELY = 5.0  # standard deviations of a count
_REFUTING, _FEWEST_REFUTING = 0.1, 5  # of the items judged: promoters push few, so more beyond looks refute the curve
_CHOICES_BESIDE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True)
class PromotedItem:
    """An item with more clicks than examinations: the actors who promote it, and those whose clicks still count."""

    item_id: str
    promoters: frozenset[str]
    known: frozenset[str]


def without_promoters(
    database: Database, cells: ClickAggregates, click_models: ClickModelReport
) -> tuple[ClickAggregates, ClickModelReport]:
    """The cells without everything that promoters of an item did, and the click models fitted to the rest.

    At positions that few examine, such an item keeps the clicks of actors who clicked enough other items. Enough is the
    least number at which the item has no more clicks than examinations. Where no number does, all of its clicks and
    impressions at these positions are left out.
    Where more than _REFUTING of the items have clicks beyond looks, none is left out: the curve is refuted and assumed.
    """
    left_out = _left_out(cells, click_models.model)
    items = [cells.items[item] for item in np.unique(cells.item[left_out])]
    if len(items) > max(_REFUTING * _count_judged(cells, click_models.model), _FEWEST_REFUTING):
        assumed = assumed_propensities()
        return cells, replace(click_models, model=ClickModel(assumed), propensities=assumed, is_refuted=True)
    found = [one for item in items if (one := _find_promoters(database, cells, item, click_models.model)) is not None]
    if not found:
        return cells.where(~left_out), click_models
    promoters = frozenset().union(*(one.promoters for one in found))
    whole = count_click_aggregates(database, lambda source: source not in promoters)
    click_models = choose_click_model(whole)
    kept = whole.where(~_seldom_seen(whole, items, click_models.model))
    for one in found:
        counted = count_click_aggregates(database, (one.known - promoters).__contains__)
        kept = kept.with_rows_of(counted.where(_seldom_seen(counted, [one.item_id], click_models.model)))
    return kept, click_models


def _count_judged(cells: ClickAggregates, model: ClickModel) -> int:
    """How many items have enough clicks at positions that few examine."""
    seldom = model.flattest.examination(cells.position, cells.after) < _SELDOM
    return int((np.bincount(cells.item[seldom], cells.clicks[seldom]) >= FEWEST_CLICKS).sum())


def _seldom_seen(cells: ClickAggregates, items: Sequence[str], model: ClickModel) -> np.ndarray:
    """(n,) whether a cell is one of these items at a position that few examine."""
    is_one = np.array([name in items for name in cells.items], bool)[cells.item]
    return np.asarray(is_one & (model.flattest.examination(cells.position, cells.after) < _SELDOM))


def _find_promoters(database: Database, cells: ClickAggregates, item_id: str, model: ClickModel) -> PromotedItem | None:
    """The promoters of the item, None where the number of other clicks does not tell them apart."""
    counts = count_actors(database, item_id)
    position = np.array([one.position for one in counts], np.int64)
    own = cells.where(cells.item == cells.items.index(item_id))
    size = int(max(position.max(initial=0), own.position.max(initial=0))) + 1
    shown, seen = (np.bincount(own.position, x, size) for x in (own.impressions, model.flattest.exposure(own)))
    looks = (seen / np.maximum(shown, 1))[position]
    beside, clicks = (np.array([getattr(one, name) for one in counts], float) for name in ("beside", "clicks"))
    looked_at = looks * np.array([one.impressions for one in counts], float)
    for fewest in _CHOICES_BESIDE:
        judging = (looks < _SELDOM) & (beside >= fewest)
        if not judging.any():
            return None
        if not _is_beyond(clicks[judging].sum(keepdims=True), looked_at[judging].sum(keepdims=True))[0]:
            known = frozenset(one.actor for one in counts if one.beside >= fewest)
            return PromotedItem(item_id, frozenset(one.actor for one in counts if one.clicks) - known, known)
    return None


def without_overclicked(cells: ClickAggregates, model: ClickModel) -> ClickAggregates:
    """The cells without promoted items at positions that few examine."""
    return cells.where(~_left_out(cells, model))


def _left_out(cells: ClickAggregates, model: ClickModel) -> np.ndarray:
    looks = model.flattest.examination(cells.position, cells.after)
    seldom = looks < _SELDOM
    items = cells.item[seldom]
    clicks = np.bincount(items, cells.clicks[seldom], len(cells.items))
    looked_at = np.bincount(items, (cells.impressions * looks)[seldom], len(cells.items))
    return np.asarray(seldom & _is_beyond(clicks, looked_at)[cells.item])


def overclicked_items(counts: Iterable[PlaceCount], theta: np.ndarray) -> frozenset[str]:
    """The promoted items by their counts at each position; `theta` (POSITIONS,) is how likely each is looked at."""
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
