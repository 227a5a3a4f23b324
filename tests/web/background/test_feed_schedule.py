"""The server imports named feeds by itself: a real process, a recorded run, an alarm where it fails."""

import time
from pathlib import Path

import pytest

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.feeds.named_feeds import NamedFeed, add_feed, feed_runs
from magpie.data.settings import Settings
from magpie.web.background.feed_schedule import FeedSchedule


def look_until_recorded(schedule: FeedSchedule, settings: Settings, number: int) -> None:
    until = time.monotonic() + 120
    while len(feed_runs(settings)) < number and time.monotonic() < until:
        schedule.look()
        time.sleep(0.1)
    schedule.stop()


@pytest.mark.slow
def test_a_feed_that_is_due_is_imported(settings: Settings, tmp_path: Path) -> None:
    open_database(settings).close()
    feed = tmp_path / "shop.csv"
    feed.write_text("id,title\n1,Kettle\n")
    add_feed(settings, NamedFeed("shop", str(feed), 3_600))
    schedule = FeedSchedule(settings)
    look_until_recorded(schedule, settings, 1)
    (run,) = feed_runs(settings)
    assert (run.name, run.inserted, run.fault, schedule.alarms) == ("shop", 1, "", [])
    database = open_database(settings)
    assert Catalogue(database, settings).get("1").title == "Kettle"
    database.close()
    schedule.look()
    assert len(feed_runs(settings)) == 1


@pytest.mark.slow
def test_a_failed_import_is_an_alarm(settings: Settings, tmp_path: Path) -> None:
    open_database(settings).close()
    add_feed(settings, NamedFeed("gone", str(tmp_path / "gone.csv"), 3_600))
    schedule = FeedSchedule(settings)
    look_until_recorded(schedule, settings, 1)
    assert "gone failed" in schedule.alarms[0] and "no such file" in schedule.alarms[0]
