"""The measured position bias as a file: training writes it, and reports and the server read it."""

import json
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.data.settings import Settings
from magpie.search.click_models.position_bias import Propensities, assumed_propensities
from magpie.search.confidence_intervals import Interval, even_by_factor

_FILE = "examination.json"


@dataclass(frozen=True)
class PositionBias:
    """How likely each position is examined, and the days, impressions and clicks that it was measured on.

    `first_day` and `last_day` count from 1970, and are 0 where an older file does not have them."""

    propensities: Propensities
    days: int = 0
    impressions: int = 0
    clicks: int = 0
    first_day: int = 0
    last_day: int = 0

    def estimate(self, position: int) -> tuple[float, float]:
        """The probability that a 1-based position is examined, and its standard error."""
        return float(self.propensities.theta[position - 1]), float(self.propensities.se[position - 1])

    def at(self, position: int) -> Interval:
        """The same with its 95 % interval, cut at 1."""
        theta, error = self.estimate(position)
        return even_by_factor(theta, error / theta, most=1.0)


def save_position_bias(settings: Settings, cells: ClickAggregates, propensities: Propensities) -> None:
    """Writes the position bias measured on these cells, in place of the one before."""
    counted = {"days": len(np.unique(cells.day)), "impressions": int(cells.impressions.sum())}
    counted |= {"clicks": cells.num_clicks}
    if len(cells.day):
        counted |= {"first_day": int(cells.day.min()), "last_day": int(cells.day.max())}
    settings.rankers_dir.mkdir(parents=True, exist_ok=True)
    beside = settings.rankers_dir / f"{_FILE}.new"
    curve = propensities.as_dict() | {"covariance": propensities.covariance.round(6).tolist()}
    beside.write_text(json.dumps(curve | counted), encoding="utf-8")
    beside.replace(settings.rankers_dir / _FILE)


def flattest_position_bias(settings: Settings) -> np.ndarray | None:
    """(POSITIONS,) how likely each position is looked at, at most, None where that was never measured."""
    found = read_position_bias(settings).propensities
    return found.flattest.theta if found.is_measured else None


def read_position_bias(settings: Settings) -> PositionBias:
    """The position bias measured last; before any measurement the assumption 1 / position, with 0 days."""
    try:
        kept = json.loads((settings.rankers_dir / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return PositionBias(assumed_propensities())
    theta = np.array(kept["theta"])
    errors = np.diag((np.array(kept["se"]) / theta) ** 2)  # of a file that an older Magpie wrote
    measured = Propensities(theta, np.array(kept.get("covariance", errors)), kept["pairs"])
    return PositionBias(
        measured,
        kept["days"],
        kept["impressions"],
        kept["clicks"],
        *(kept.get(f"{one}_day", 0) for one in ("first", "last")),
    )
