"""The tables by the names that addresses and CSV files give them."""

from collections.abc import Callable

from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.catalogue import conflicts_table, exposure_table, never_shown_table
from magpie.web.insights.tables.demand import (
    days_table,
    missing_table,
    queries_table,
    unanswered_table,
    unclicked_table,
)
from magpie.web.insights.tables.health import feed_runs_table, health_table, set_aside_table
from magpie.web.insights.tables.rankings import (
    comparisons_table,
    examination_table,
    positions_table,
    ranker_use_table,
    rankers_table,
)
from magpie.web.insights.tables.table import Table

TABLES: dict[str, Callable[[Figures], Table]] = {
    "days": days_table,
    "queries": queries_table,
    "unanswered": unanswered_table,
    "unclicked": unclicked_table,
    "missing": missing_table,
    "positions": positions_table,
    "examination": examination_table,
    "rankers": rankers_table,
    "ranker-use": ranker_use_table,
    "comparisons": comparisons_table,
    "conflicts": conflicts_table,
    "never-shown": never_shown_table,
    "exposure": exposure_table,
    "health": health_table,
    "set-aside": set_aside_table,
    "feed-runs": feed_runs_table,
}
