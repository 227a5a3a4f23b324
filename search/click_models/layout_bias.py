"""Position bias of each layout (grid, list), drawn towards that of all layouts where it has few clicks."""

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.position_bias import Propensities, measure_propensities

FEWEST_CLICKS = 300
_DIFFERENCE = 0.3  # by which the logarithms of two layouts' propensities differ, as a standard deviation


def measure_by_layout(cells: ClickAggregates, pooled: Propensities) -> dict[str, Propensities]:
    """Propensities by the name of the layout, for those with enough clicks and comparisons; the `pooled` ones are for
    all others, and for a layout that is the only one.

    Each is drawn towards the pooled curve in proportion to the precisions (empirical Bayes): few clicks in a layout
    leave the pooled curve, many give the layout its own.
    """
    found: dict[str, Propensities] = {}
    if len(np.unique(cells.layout)) < 2:
        return found
    for number, name in enumerate(cells.layouts):
        own = cells.where(cells.layout == number)
        if not name or own.num_clicks < FEWEST_CLICKS:
            continue
        measured = measure_propensities(own)
        if measured.is_measured:
            found[name] = draw_towards(measured, pooled)
    return found


def draw_towards(own: Propensities, pooled: Propensities) -> Propensities:
    """The mean of both curves' logarithms by their precision, with the first position at 1."""
    jitter = 1e-9 * np.eye(len(own.theta) - 1)
    of_own = np.linalg.inv(own.covariance[1:, 1:] + jitter)
    of_pooled = np.linalg.inv(pooled.covariance[1:, 1:] + _DIFFERENCE**2 * np.eye(len(jitter)))
    covariance = np.zeros_like(own.covariance)
    covariance[1:, 1:] = np.linalg.inv(of_own + of_pooled)
    logs = covariance[1:, 1:] @ (of_own @ np.log(own.theta[1:]) + of_pooled @ np.log(pooled.theta[1:]))
    return Propensities(np.exp(np.append(0.0, logs)), covariance, own.num_pairs)
