"""Withdraws the ranker that serves where people, who see its hits and the first stage's in one list, prefer these."""

from magpie.data.database.connection import Database
from magpie.data.errors import RankerBroken
from magpie.data.settings import Settings
from magpie.search.ranker.named_rankings import CURRENT, FIRST_STAGE
from magpie.search.ranker.ranker_store import current_ranker, published_ms, withdraw_ranker
from magpie.search.reports.interleaving_report import read_comparisons

_LOST = 0.01  # chance of so uneven a split between equally good rankings; small, since it is looked at every hour


def withdraw_loser(settings: Settings, database: Database) -> str | None:
    """The version that was withdrawn, so that the first stage serves again; None where none had to be.

    Only what was interleaved since the version was published counts (`magpie serve --compare first-stage current`).
    """
    try:
        version = current_ranker(settings)
    except RankerBroken:
        return None
    if version is None:
        return None
    for found in read_comparisons(database, published_ms(settings)):
        serving = [name in (CURRENT, version) for name in found.rankings]
        if FIRST_STAGE in found.rankings and any(serving) and found.p_value < _LOST:
            votes = found.for_a, found.for_b
            if votes[serving.index(True)] < votes[serving.index(False)]:
                withdraw_ranker(settings)
                return version
    return None
