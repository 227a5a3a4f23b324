"""Moving a home into another database: every row, once, compared; refused where something is in the way."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from magpie.data.aggregates.blocked_phrases import block_phrases
from magpie.data.aggregates.click_aggregates import refresh_click_aggregates
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.catalogue.inferred_labels import replace_labels
from magpie.data.catalogue.items import Label
from magpie.data.database import copy_database as module
from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import Database, open_database
from magpie.data.database.copy_database import copy_database
from magpie.data.database.tables import items, metadata
from magpie.data.errors import BadSetting, Conflict, HomeLocked
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.settings import Settings

T0 = 1_795_000_000_000


@pytest.fixture
def filled(settings: Settings, tmp_path: Path) -> Settings:
    """A home with something in every table, and the highest numbers of items deleted."""
    with closing(open_database(settings)) as database:
        catalogue = Catalogue(database, settings)
        (tmp_path / "a.jpg").write_bytes(b"no picture")
        drafts = [
            ItemDraft(f"i{n}", f"Ünï {n} ☃", price=n + 0.1, attributes={"n": n, "on": True}, pictures=("a.jpg",))
            for n in range(30)
        ]
        catalogue.upsert(drafts, tmp_path)
        replace_labels(database, "colour", {catalogue.get("i3").id: Label("red", 0.1 + 0.2)})
        catalogue.delete("i29")
        log = EventLog(database)
        log.record_queries(
            [
                QueryRecord(f"q{n}", "red ball", f"c{n}", timestamp_ms=T0 + n, hits=(ShownHit("i3", 1, 0.1),))
                for n in range(9)
            ]
        )
        log.record_events(
            [EventRecord("click", query_id="q1", client_id="c1", object_id="i3", event_id="e1", timestamp_ms=T0)]
        )
        refresh_click_aggregates(database)
        create_token(database, "shop", ["write"])
        block_phrases(database, ["stolen goods"])
    return settings


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'other.db'}"
    return str(request.getfixturevalue("empty_postgresql_url"))


def content(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.reading() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


@pytest.fixture
def moved(filled: Settings, target: str) -> Iterator[Settings]:
    copy_database(filled, target, lambda *_: None)
    yield filled.model_copy(update={"database_url": target})


def test_every_row_of_every_table_is_copied(filled: Settings, target: str) -> None:
    steps: list[tuple[str, int, int]] = []
    report = copy_database(filled, target, lambda *step: steps.append(step))
    with closing(open_database(filled)) as one:
        before = content(one)
    with closing(open_database(filled.model_copy(update={"database_url": target}))) as other:
        assert content(other) == before
    assert all(before.values()), "a table without rows shows nothing"
    assert {name: table.rows for name, table in report.tables.items()} == {n: len(rows) for n, rows in before.items()}
    assert steps[-1] == ("compare", report.rows, report.rows) and ("copy", report.rows, report.rows) in steps


def test_an_index_of_before_fits_and_numbers_go_on(filled: Settings, moved: Settings, tmp_path: Path) -> None:
    with closing(open_database(filled)) as one, closing(open_database(moved)) as other:
        before, after = Catalogue(one, filled), Catalogue(other, moved)
        assert after.state() == before.state()
        for catalogue in (before, after):
            catalogue.upsert([ItemDraft("new", "New")], tmp_path)
        assert after.get("new").id == before.get("new").id > before.get("i28").id + 1  # i29's is not given again


def test_it_goes_back_again(filled: Settings, moved: Settings, tmp_path: Path) -> None:
    back = f"sqlite:///{tmp_path / 'back.db'}"
    report = copy_database(moved, back, lambda *_: None)
    with closing(open_database(filled)) as one:
        before = content(one)
    with closing(open_database(filled.model_copy(update={"database_url": back}))) as other:
        assert content(other) == before
    assert report.source.startswith(("sqlite", "postgresql"))


def test_a_target_that_is_not_empty_is_refused(filled: Settings, moved: Settings, target: str) -> None:
    with pytest.raises(Conflict, match=r"not empty \(it holds rows in"):
        copy_database(filled, target, lambda *_: None)
    with closing(open_database(moved)) as database:
        assert Catalogue(database, moved).count() == 29


def test_a_target_with_other_peoples_tables_is_refused(filled: Settings, target: str) -> None:
    elsewhere = filled.model_copy(update={"database_url": target})
    with closing(open_database(elsewhere)) as other, other.writing() as connection:
        connection.execute(text("CREATE TABLE theirs (n INTEGER)"))
    with pytest.raises(Conflict, match="holds table theirs"):
        copy_database(filled, target, lambda *_: None)


@pytest.mark.parametrize("url", ["", "sqlite://", "nonsense", "oracle7://x/y"])
def test_the_same_a_passing_and_a_wrong_database_are_refused(filled: Settings, url: str) -> None:
    with pytest.raises(BadSetting):
        copy_database(filled, url or filled.database, lambda *_: None)


def test_a_home_that_is_served_is_refused(filled: Settings, target: str) -> None:
    with lock_home(filled.home, SERVING), pytest.raises(HomeLocked):
        copy_database(filled, target, lambda *_: None)


def test_a_target_that_keeps_something_else_is_found_out(
    filled: Settings, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module._insert

    def falsify(connection: module.Connection, table: module.Table, rows: object) -> None:
        whole(connection, table, rows)  # type: ignore[arg-type]
        if table is items:
            connection.execute(update(items).where(items.c.item_id == "i7").values(title="Another"))

    monkeypatch.setattr(module, "_insert", falsify)
    with pytest.raises(Conflict, match=r"keeps items as .* nothing was copied"):
        copy_database(filled, target, lambda *_: None)
    monkeypatch.undo()
    assert copy_database(filled, target, lambda *_: None).tables["items"].rows == 29


@pytest.mark.parametrize("stage", ["copy", "compare"])
def test_killed_it_leaves_nothing_and_is_done_again(filled: Settings, target: str, stage: str) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from magpie.data.settings import Settings\n"
        "from magpie.data.database.copy_database import copy_database\n"
        "def die(stage, done, total):\n"
        f"    if stage == {stage!r} and done > total // 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "copy_database(Settings(home=Path(sys.argv[1])), sys.argv[2], die)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(filled.home), target], check=False)
    assert killed.returncode == -signal.SIGKILL
    report = copy_database(filled, target, lambda *_: None)
    assert report.tables["items"].rows == 29 and report.tables["impressions"].rows == 9


def test_what_the_target_cannot_hold_is_named(filled: Settings, empty_postgresql_url: str) -> None:
    with closing(open_database(filled)) as database, database.writing() as connection:
        connection.execute(update(items).where(items.c.item_id == "i5").values(item_id="x" * 600))  # SQLite lets it
    with pytest.raises(Conflict, match=r"does not take items: .*too long"):
        copy_database(filled, empty_postgresql_url, lambda *_: None)
