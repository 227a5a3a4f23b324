"""A ranker that loses against the first stage on people's own clicks is withdrawn; one that wins stays."""

import pytest

from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.ranker.ranker_store import current_ranker, published_ms
from magpie.search.reports.lost_comparison import withdraw_loser

VERSION = "000001-20260101T000000"


def vote(database: Database, people: int, clicked: str, ago_ms: int = 0) -> None:
    """People who were shown an item of each ranking, and clicked one."""
    log = EventLog(database)
    for number in range(people):
        name, when = f"{clicked}{number}", now_ms() + 1_000 - ago_ms
        attributes = {"interleave": ["first-stage", "current"], "teams": "AB"}
        hits = (ShownHit("of-first", 1), ShownHit("of-current", 2))
        log.record_queries(
            [
                QueryRecord(
                    name, "ball", client_id=f"c{number}", timestamp_ms=when, query_attributes=attributes, hits=hits
                )
            ]
        )
        click = EventRecord("click", name, object_id=clicked, client_id=f"c{number}", timestamp_ms=when + 1)
        log.record_events([click])


@pytest.mark.parametrize(
    ("people", "clicked", "ago_ms", "is_lost"),
    [
        (12, "of-first", 0, True),  # 2 · .5^12 < .01
        (6, "of-first", 0, False),  # 2 · .5^6 > .01
        (12, "of-current", 0, False),
        (12, "of-first", 90_000_000, False),  # of a ranker before
    ],
)
def test_who_loses_is_withdrawn(
    settings: Settings, database: Database, people: int, clicked: str, ago_ms: int, is_lost: bool
) -> None:
    assert withdraw_loser(settings, database) is None and published_ms(settings) == 0
    settings.rankers_dir.mkdir(parents=True)
    (settings.rankers_dir / "CURRENT").write_text(VERSION)
    vote(database, people, clicked, ago_ms)
    assert withdraw_loser(settings, database) == (VERSION if is_lost else None)
    assert current_ranker(settings) == (None if is_lost else VERSION)
