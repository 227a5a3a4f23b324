"""Click-through rates by position, raw and corrected for position bias."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from magpie.data.aggregates.position_counts import PositionCount
from magpie.search.click_models.saved_bias import PositionBias
from magpie.search.confidence_intervals import Interval, even_by_factor, share_of


@dataclass(frozen=True)
class ClickThrough:
    """Clicks per impression at a position (`raw`), and per examination (`debiased`): comparable among positions."""

    position: int
    impressions: int
    people: int
    clicks: int
    raw: Interval
    debiased: Interval


def click_through(counts: Sequence[PositionCount], position_bias: PositionBias) -> list[ClickThrough]:
    """Both rates of every position.

    A debiased rate that still falls says that better hits stand first. Its interval covers the errors of the clicks and
    of the position bias.
    """
    found = []
    for count in counts:
        raw = share_of(count.clicks, count.impressions)
        if raw is None:
            continue
        theta, error = position_bias.estimate(count.position)
        relative_error = math.hypot(error / theta, 1 / math.sqrt(max(count.clicks, 1)))
        debiased = even_by_factor(raw.value / theta, relative_error)
        found.append(ClickThrough(count.position, count.impressions, count.people, count.clicks, raw, debiased))
    return found
