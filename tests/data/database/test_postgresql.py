"""What is particular to PostgreSQL: snapshots, writers that take turns, durable commits, faults with names."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database, open_database
from magpie.data.errors import BadInput, BadSetting, DatabaseBusy, DatabaseUnreachable
from magpie.data.settings import Settings
from tests.support.postgresql import EMPTY, Cluster

GROW = text("UPDATE counters SET value = value + 1")
VALUE = "SELECT value FROM counters"


@pytest.fixture
def settings(tmp_path: Path, postgresql_url: str) -> Settings:
    return Settings(home=tmp_path / "home", database_url=postgresql_url)


def grow(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(GROW)


def test_readers_see_one_snapshot(database: Database) -> None:
    with database.reading() as connection, database.fetching() as fetch:
        before = connection.execute(text(VALUE)).scalar_one()
        assert fetch(VALUE) == [(before,)]
        grow(database)
        assert connection.execute(text(VALUE)).scalar_one() == before
        assert fetch(VALUE) == [(before,)]
    with database.fetching() as fetch:
        assert fetch(VALUE) == [(before + 1,)]


def test_a_writer_sees_what_the_one_before_wrote(database: Database) -> None:
    """Also where it began to wait before that one was done."""
    found: list[int] = []

    def wait_and_read() -> None:
        with database.writing() as connection:
            found.append(connection.execute(text(VALUE)).scalar_one())

    with database.writing() as connection:
        waiting = threading.Thread(target=wait_and_read)
        waiting.start()
        with database.reading() as other:
            asked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            while not other.execute(asked).scalar_one():
                other.rollback()
        connection.execute(text("UPDATE counters SET value = 77"))
    waiting.join()
    assert found == [77]


def test_who_waits_too_long_for_the_writer_says_so(settings: Settings, database: Database) -> None:
    with closing(open_database(settings, patience_s=0.1)) as impatient:
        with database.writing(), pytest.raises(DatabaseBusy, match="try again"):
            grow(impatient)
        grow(impatient)


@pytest.mark.parametrize(("durable", "level"), [(True, "on"), (False, "off")])
def test_a_durable_commit_waits_for_the_disk_whatever_the_server_is_set_to(
    settings: Settings, database: Database, durable: bool, level: str
) -> None:
    with database.writing() as connection:
        connection.execute(text(f"ALTER DATABASE {database.engine.url.database} SET synchronous_commit = off"))
    with closing(open_database(settings)) as opened:
        with opened.writing(durable=durable) as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == level
        with opened.writing() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "off"


def test_a_lost_connection_has_a_name_and_the_next_use_a_new_one(database: Database) -> None:
    with pytest.raises(DatabaseUnreachable), database.writing() as connection:
        connection.execute(GROW)
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with database.reading() as other:
            other.execute(text(f"SELECT pg_terminate_backend({own}, 5000)"))
        connection.execute(GROW)
    with database.reading() as connection:
        assert connection.execute(text(VALUE)).scalar_one() == 0
    grow(database)


def test_a_server_that_does_not_answer_is_named_when_opening(settings: Settings, cluster: Cluster) -> None:
    away = f"postgresql+psycopg://shop:hidden@/magpie?host={cluster.folder}/nowhere"
    with pytest.raises(BadSetting, match=r"shop:\*\*\*@.*cannot be opened"):
        open_database(settings.model_copy(update={"database_url": away}))


def test_what_holds_a_nul_is_refused_and_not_looked_up(database: Database, settings: Settings) -> None:
    with pytest.raises(BadInput, match="NUL"):
        Catalogue(database, settings).get("a\0b")


def test_other_faults_are_not_renamed(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="no_such_table"), database.reading() as connection:
        connection.execute(text("SELECT * FROM no_such_table"))


def test_a_database_in_another_encoding_is_refused(settings: Settings, cluster: Cluster) -> None:
    cluster.run(f"CREATE DATABASE western TEMPLATE {EMPTY} ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(BadSetting, match=r"LATIN1.*--encoding=UTF8"):
            open_database(settings.model_copy(update={"database_url": cluster.url("western")}))
    finally:
        cluster.run("DROP DATABASE western WITH (FORCE)")


def test_a_url_without_a_driver_gets_the_one_that_is_tested(settings: Settings, cluster: Cluster) -> None:
    with (
        cluster.database() as url,
        closing(open_database(settings.model_copy(update={"database_url": url.replace("+psycopg", "")}))) as opened,
    ):
        assert opened.engine.dialect.driver == "psycopg"


def test_numbers_of_deleted_items_are_not_given_again(database: Database, settings: Settings, tmp_path: Path) -> None:
    catalogue = Catalogue(database, settings)
    catalogue.upsert([ItemDraft("a", "A"), ItemDraft("b", "B")], tmp_path)
    gone = catalogue.get("b").id
    catalogue.delete("b")
    catalogue.upsert([ItemDraft("b", "B"), ItemDraft("c", "C")], tmp_path)
    assert gone < catalogue.get("b").id < catalogue.get("c").id


@pytest.fixture
def empty(settings: Settings, empty_postgresql_url: str) -> Iterator[Settings]:
    yield settings.model_copy(update={"database_url": empty_postgresql_url})


def test_two_homes_may_make_the_same_database(empty: Settings, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from magpie.data.settings import Settings\n"
        "from magpie.data.database.connection import open_database\n"
        "open_database(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2])).close()"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    running = [
        subprocess.Popen([*command, str(tmp_path / name), empty.database], stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 2
    engine = create_engine(empty.database)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM signing_keys")).scalar_one() == 1
    engine.dispose()
