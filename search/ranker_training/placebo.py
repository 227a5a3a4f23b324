"""A click log in which nobody prefers anything: what a training finds in it is not there."""

from dataclasses import replace

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates

_SEED = 4


def dealt_by_position(cells: ClickAggregates) -> ClickAggregates:
    """The cells with each query's clicks dealt out anew over what it showed, by where it stood and not by what it was.

    A hit gets its share by the click rate of its position below its last click above, over all queries and items. So
    positions and queries keep about the clicks that they had, and items that differ in them do so by chance.
    """
    last = int(cells.position.max(initial=0)) + 1
    spot = cells.position * last + np.minimum(cells.after, last - 1)
    clicks, shown = (np.bincount(spot, x) for x in (cells.clicks, cells.impressions))
    due = cells.impressions * (clicks / np.maximum(shown, 1))[spot]
    queries = len(cells.queries)
    level = np.bincount(cells.query, cells.clicks, queries) / np.maximum(np.bincount(cells.query, due, queries), 1e-9)
    return replace(cells, clicks=np.random.default_rng(_SEED).poisson(due * level[cells.query]).astype(float))
