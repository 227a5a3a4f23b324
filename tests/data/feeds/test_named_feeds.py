"""Feeds that the server imports by itself: when they are due, what is recorded, and what a damaged file does."""

import pytest

from magpie.data.errors import BadSetting, NotFound
from magpie.data.feeds.named_feeds import (
    RUNS_KEPT,
    FeedRun,
    NamedFeed,
    add_feed,
    due_feeds,
    feed_runs,
    named_feeds,
    record_run,
    remove_feed,
)
from magpie.data.settings import Settings


def test_a_feed_is_due_at_once_and_then_at_its_interval(settings: Settings) -> None:
    add_feed(settings, NamedFeed("shop", "https://s.example/a.json", 3_600))
    assert [feed.name for feed in due_feeds(settings, 10_000.0)] == ["shop"]
    record_run(settings, FeedRun("shop", 10_000.0, 2.0, read=3, inserted=3))
    assert due_feeds(settings, 13_599.0) == []
    assert [feed.name for feed in due_feeds(settings, 13_600.0)] == ["shop"]


def test_a_name_stands_for_one_feed(settings: Settings) -> None:
    add_feed(settings, NamedFeed("b", "b.csv", 60))
    add_feed(settings, NamedFeed("a", "a.csv", 60))
    add_feed(settings, NamedFeed("b", "other.csv", 120, ["--sync"]))
    assert [(feed.name, feed.source, feed.options) for feed in named_feeds(settings)] == [
        ("a", "a.csv", []),
        ("b", "other.csv", ["--sync"]),
    ]
    remove_feed(settings, "a")
    assert [feed.name for feed in named_feeds(settings)] == ["b"]
    with pytest.raises(NotFound, match="no feed is named 'a'"):
        remove_feed(settings, "a")


@pytest.mark.parametrize(("name", "every_s"), [("", 60), ("a b", 60), ("../x", 60), ("a", 59)])
def test_wrong_names_and_intervals_are_refused(settings: Settings, name: str, every_s: int) -> None:
    with pytest.raises(BadSetting):
        add_feed(settings, NamedFeed(name, "a.csv", every_s))


def test_the_last_runs_are_kept_and_damaged_lines_passed_over(settings: Settings) -> None:
    for n in range(3):
        record_run(settings, FeedRun("a", float(n), 1.0))
    with settings.feed_runs_file.open("a") as stream:
        stream.write("{broken\n")
    record_run(settings, FeedRun("a", 3.0, 1.0, fault="was not fetched"))
    assert [run.began_at for run in feed_runs(settings)] == [0.0, 1.0, 2.0, 3.0]
    assert len(feed_runs(settings)) <= RUNS_KEPT


def test_a_damaged_file_of_feeds_is_named(settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    settings.feeds_file.write_text("[{")
    with pytest.raises(BadSetting, match=r"feeds\.json: cannot be read"):
        named_feeds(settings)
