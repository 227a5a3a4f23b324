"""The click log → the queries that the next index lays into its items' vectors."""

from data.clicked_queries import ClickedQuery, clicked_queries
from data.database import Database
from data.hygiene import set_aside_misuse
from data.settings import Settings
from search.learning.propensities import measure_propensities


def gather_clicked_queries(settings: Settings, database: Database) -> dict[str, list[ClickedQuery]]:
    """By item id, the queries of at least `settings.min_clients` people that led to it, at the measured propensities.

    Nothing is read where `settings.clicked_share` is 0.
    """
    if settings.clicked_share == 0:
        return {}
    set_aside_misuse(database)
    return clicked_queries(database, lambda cells: measure_propensities(cells).theta, settings.min_clients)
