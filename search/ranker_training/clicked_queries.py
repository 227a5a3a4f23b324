"""Gathers the clicked queries whose vectors a rebuild folds into the item vectors."""

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.data.aggregates.clicked_queries import ClickedQuery, clicked_queries
from magpie.data.database.connection import Database
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import filter_spam
from magpie.search.click_models.click_models import ClickModel
from magpie.search.click_models.overclicked_items import without_overclicked
from magpie.search.click_models.position_bias import measure_propensities


def gather_clicked_queries(settings: Settings, database: Database) -> dict[str, list[ClickedQuery]]:
    """By item id, the queries of at least `settings.min_clients` people that led to it, at the measured propensities.

    Clicks on promoted items are left out.

    Nothing is read where `settings.clicked_share` is 0.
    """
    if settings.clicked_share == 0:
        return {}
    filter_spam(database)
    return clicked_queries(database, _measured, settings.min_clients)


def _measured(cells: ClickAggregates) -> tuple[ClickAggregates, np.ndarray]:
    """The cells without promoted items, and the propensities measured on all cells, the flattest where none are."""
    propensities = measure_propensities(cells)
    return without_overclicked(cells, ClickModel(propensities)), propensities.cautious.theta
