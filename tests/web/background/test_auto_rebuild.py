"""The server's own rebuilds: when they are due, that they happen, and what is said when they fail."""

import sys
import time
from pathlib import Path

import pytest

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database
from magpie.data.erasure.erase import forget_client
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord
from magpie.data.home.locks import is_held, lock_home
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id
from magpie.search.engine import SearchEngine
from magpie.search.ranker.ranker_store import current_ranker, publish_ranker, save_ranker
from magpie.web.background import auto_rebuild
from magpie.web.background.auto_rebuild import (
    MOST_PATIENCE_S,
    QUIET_S,
    AutoRebuild,
    Backlog,
    is_time,
    is_wanted,
    rebuild_command,
    train_command,
)
from magpie.web.shared.memory import SharedTexts
from tests.search.ranker.test_reranker import favouring

pytestmark = pytest.mark.slow

PATIENCE = 12_000  # of 50 ms: a rebuild at the lowest priority waits for whatever else runs
HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("changes", "age_s", "wanted"),
    [
        (0, 1000 * HOUR_S, False),
        (99, 0, False),
        (100, 0, True),
        (1, 9.9 * HOUR_S, False),
        (1, 10 * HOUR_S, True),
        (1, -HOUR_S, False),  # the clock was put back
    ],
)
def test_many_or_old_changes_want_a_rebuild(changes: int, age_s: float, wanted: bool, settings: Settings) -> None:
    chosen = settings.model_copy(update={"rebuild_after_changes": 100, "rebuild_after_hours": 10})
    assert is_wanted(chosen, Backlog(changes, age_s, 0, 0)) == wanted
    never = settings.model_copy(update={"rebuild_after_changes": 0, "rebuild_after_hours": 0})
    assert not is_wanted(never, Backlog(changes, age_s, 0, 0))


def test_what_was_forgotten_wants_one_unless_the_owner_wants_none(settings: Settings) -> None:
    assert is_wanted(settings, Backlog(0, 0, 0, 0, is_stale=True)) and not is_wanted(settings, Backlog(0, 0, 0, 0))
    never = settings.model_copy(update={"rebuild_after_changes": 0, "rebuild_after_hours": 0})
    assert not is_wanted(never, Backlog(0, 0, 0, 0, is_stale=True))


def test_an_import_is_not_disturbed_but_unrest_is_not_waited_for_for_ever() -> None:
    assert not is_time(Backlog(1, 0, QUIET_S - 1, MOST_PATIENCE_S - 1))
    assert is_time(Backlog(1, 0, QUIET_S, 0)) and is_time(Backlog(1, 0, 0, MOST_PATIENCE_S))


def test_the_servers_own_work_has_the_lowest_priority(settings: Settings) -> None:
    for command in (rebuild_command(settings), train_command(settings)):
        assert command[:3] == ["nice", "-n", "19"]


@pytest.fixture
def engine(shop_database: Database, own_shop: Settings) -> SearchEngine:
    return SearchEngine(own_shop, shop_database)


def wait_for(auto: AutoRebuild) -> None:
    for _ in range(PATIENCE):
        if not auto.is_running:
            return
        time.sleep(0.05)
        auto.look()
    auto.stop()
    pytest.fail("it does not end")


def test_changes_are_folded_in_by_itself(
    engine: SearchEngine, own_shop: Settings, shop_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_rebuild, "QUIET_S", 0.0)
    auto = AutoRebuild(own_shop.model_copy(update={"rebuild_after_changes": 1}), engine.status, SharedTexts())
    before = current_id(own_shop)
    auto.look()
    assert not auto.is_running
    Catalogue(shop_database, own_shop).upsert([ItemDraft("new", "Zorblatt umbrella")], Path("/"))
    engine.refresh()
    with lock_home(own_shop.home, "rebuild"):  # somebody else is at it
        assert is_held(own_shop.home, "rebuild")
        auto.look()
        assert not auto.is_running
    auto.look()
    assert auto.is_running
    wait_for(auto)
    assert auto.alarms == [] and current_id(own_shop) != before
    engine.refresh()
    assert engine.status()["changes_since"] == 0


def test_what_was_forgotten_leaves_the_ranker_by_itself(
    engine: SearchEngine, own_shop: Settings, shop_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_rebuild, "QUIET_S", 0.0)
    engine.refresh()
    publish_ranker(own_shop, save_ranker(own_shop, favouring("ball-red", engine), engine.fingerprint, {}))
    EventLog(shop_database).record_events([EventRecord("click", client_id="somebody")])
    forget_client(shop_database, "somebody")
    engine.refresh()
    assert engine.status()["stale"] == ["ranker"]
    auto = AutoRebuild(own_shop, engine.status, SharedTexts())
    auto.look()
    assert auto.is_running
    wait_for(auto)
    engine.refresh()
    assert auto.alarms == [] and engine.status()["stale"] == [] and current_ranker(own_shop) is None


def test_a_failure_is_told_and_not_repeated_at_once(
    engine: SearchEngine, own_shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = AutoRebuild(own_shop, engine.status, SharedTexts())
    auto.begin([sys.executable, "-c", "raise SystemExit('Error: the disk is full')"])
    wait_for(auto)
    assert auto.alarms == ["The automatic rebuild failed: Error: the disk is full"]
    monkeypatch.setattr(auto_rebuild, "QUIET_S", 0.0)
    monkeypatch.setattr(auto_rebuild, "is_wanted", lambda settings, backlog: True)
    auto.look()
    assert not auto.is_running


def test_it_ends_with_the_server(engine: SearchEngine, own_shop: Settings) -> None:
    auto = AutoRebuild(own_shop, engine.status, SharedTexts())
    auto.begin([sys.executable, "-c", "import time; time.sleep(600)"])
    auto.stop()
    assert not auto.is_running


def test_the_index_is_rebuilt_as_it_was_built(own_shop: Settings) -> None:
    command = rebuild_command(own_shop)
    given = dict(zip(command[command.index("--json") + 1 :: 2], command[command.index("--json") + 2 :: 2], strict=True))
    assert given == {"--model": "magpie-mini", "--fusion": "auto", "--index": "auto"}
