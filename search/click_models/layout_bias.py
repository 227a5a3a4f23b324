"""Position bias of each layout (grid, list), drawn towards that of all layouts where it has few clicks."""

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.position_bias import Propensities, measure_propensities

FEWEST_CLICKS = 300
_DIFFERENCE = 0.3  # by which the logarithms of two layouts' propensities differ, as a standard deviation


def measure_by_layout(cells: ClickAggregates, pooled: Propensities) -> dict[str, Propensities]:
    """Propensities by the name of the layout, for those with enough clicks and comparisons; the `pooled` ones are for
    all others.

    Each is drawn towards the pooled curve, position by position in proportion to the variances (empirical Bayes): few
    clicks in a layout leave the pooled curve, many give the layout its own.
    """
    found = {}
    for number, name in enumerate(cells.layouts):
        own = cells.where(cells.layout == number)
        if not name or own.num_clicks < FEWEST_CLICKS:
            continue
        measured = measure_propensities(own)
        if measured.is_measured:
            found[name] = draw_towards(measured, pooled)
    return found


def draw_towards(own: Propensities, pooled: Propensities) -> Propensities:
    """The mean of both curves' logarithms by their precision, with the first position at 1 and never rising."""
    own_variance, pooled_variance = ((each.se / each.theta) ** 2 + 1e-9 for each in (own, pooled))
    pooled_variance = pooled_variance + _DIFFERENCE**2
    share = pooled_variance / (own_variance + pooled_variance)
    logs = share * np.log(own.theta) + (1 - share) * np.log(pooled.theta)
    theta = np.minimum.accumulate(np.exp(logs - logs[0]))
    return Propensities(theta, theta * np.sqrt(own_variance * share), own.num_pairs)
