"""The database: made and migrated on opening, refused when newer, safe with threads, forks and kills."""

import ast
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text

from magpie.data.database import connection
from magpie.data.database.connection import Database, open_database
from magpie.data.database.migrations import HEAD
from magpie.data.database.tables import counters, metadata
from magpie.data.errors import BadSetting, DatabaseTooNew, HomeLocked
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings

pytestmark = pytest.mark.every_database


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(connection.MIGRATIONS))
    return ScriptDirectory.from_config(config)


def test_head_names_the_newest_migration() -> None:
    assert scripts().get_current_head() == HEAD


def test_migrations_build_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_opening_anew_does_without_alembic(settings: Settings) -> None:
    open_database(settings).close()
    code = (
        "import sys; from pathlib import Path; from magpie.data.settings import Settings\n"
        "from magpie.data.database.connection import *\n"
        f"open_database(Settings(home=Path({str(settings.home)!r}))).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.sqlite_only
def test_sqlite_is_set_up_for_readers_beside_a_writer(database: Database) -> None:
    with database.reading() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    assert pragmas == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 10_000}


@pytest.mark.sqlite_only
def test_durable_writes_are_synchronous_and_others_are_not(database: Database) -> None:
    for durable, level in ((True, 2), (False, 1), (True, 2)):
        with database.writing(durable=durable) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as connection:
        connection.execute(insert(counters).values(name="half", value=1))
        raise RuntimeError
    with database.reading() as connection:
        assert connection.execute(select(counters.c.name).where(counters.c.name == "half")).all() == []


def test_a_newer_database_is_refused(settings: Settings, database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match=r"9999.*update Magpie"):
        open_database(settings)


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes this the Magpie after the present one: its schema has a migration more. Returns that migration's file."""
    shutil.copytree(connection.MIGRATIONS, tmp_path / "migrations")
    migration = tmp_path / "migrations" / "versions" / "next.py"
    migration.write_text(
        f"revision = 'next'\ndown_revision = {HEAD!r}\nbranch_labels = depends_on = None\n"
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "def upgrade():\n    op.add_column('counters', sa.Column('unit', sa.Text()))\n"
    )
    monkeypatch.setattr(connection, "MIGRATIONS", tmp_path / "migrations")
    monkeypatch.setattr(connection, "HEAD", "next")
    return migration


def in_file(path: Path, question: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(question).fetchone()
    finally:
        connection.close()


@pytest.mark.sqlite_only
def test_an_older_database_is_copied_and_migrated(
    settings: Settings, database: Database, request: pytest.FixtureRequest
) -> None:
    with database.writing() as connection:
        connection.execute(insert(counters).values(name="kept", value=7))
    request.getfixturevalue("next_version")
    open_database(settings).close()
    assert in_file(settings.home / "magpie.db", "SELECT value, unit FROM counters WHERE name = 'kept'") == (7, None)
    copy = settings.home / "magpie.db.before-next"
    assert in_file(copy, "SELECT version_num FROM alembic_version") == (HEAD,)
    assert in_file(copy, "SELECT value FROM counters WHERE name = 'kept'") == (7,)


@pytest.mark.sqlite_only
def test_a_failing_migration_changes_nothing(
    settings: Settings, database: Database, request: pytest.FixtureRequest
) -> None:
    migration: Path = request.getfixturevalue("next_version")
    migration.write_text(migration.read_text() + "    op.execute('SELECT * FROM no_such_table')\n")
    with pytest.raises(BadSetting, match="no_such_table"):
        open_database(settings)
    assert in_file(settings.home / "magpie.db", "SELECT version_num FROM alembic_version") == (HEAD,)
    assert in_file(settings.home / "magpie.db", "SELECT count(*) FROM pragma_table_info('counters')") == (2,)


def test_two_processes_may_make_the_same_home(settings: Settings) -> None:
    code = (
        "from pathlib import Path; from magpie.data.settings import Settings\n"
        "from magpie.data.database.connection import *\n"
        f"open_database(Settings(home=Path({str(settings.home)!r})))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 2


@pytest.mark.sqlite_only
def test_what_is_no_database_is_refused(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "magpie.db").write_bytes(b"This is a letter, not a database. " * 50)
    with pytest.raises(BadSetting, match=r"magpie\.db.*not a database"):
        open_database(settings)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("url", ["nonsense", "oracle7://x/y", "sqlite://", "sqlite:////proc/nowhere/magpie.db"])
def test_a_wrong_database_url_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(BadSetting):
        open_database(settings.model_copy(update={"database_url": url}))


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadSetting, match="--home"):
        open_database(Settings(home=tmp_path / "file" / "home"))


def test_threads_write_and_read_at_once(database: Database) -> None:
    def work(number: int) -> None:
        for _ in range(20):
            with database.writing() as connection:
                connection.execute(text("UPDATE counters SET value = value + 1"))
            with database.reading() as connection:
                connection.execute(text("SELECT value FROM counters")).scalar()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.execute(text("SELECT value FROM counters")).scalar() == 8 * 20


def test_a_forked_child_goes_on_with_it(database: Database) -> None:
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))
    child = os.fork()
    if child == 0:
        try:
            with database.writing() as connection:
                connection.execute(text("UPDATE counters SET value = 5"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with database.reading() as connection:
        assert connection.execute(text("SELECT value FROM counters")).scalar() == 5


def test_a_lock_is_held_by_one_and_names_its_holder(tmp_path: Path) -> None:
    with lock_home(tmp_path, "rebuild"):
        with (
            pytest.raises(HomeLocked, match=rf"process {os.getpid()} is busy with rebuild"),
            lock_home(tmp_path, "rebuild"),
        ):
            pass
        with lock_home(tmp_path, "other"):
            pass
    with lock_home(tmp_path, "rebuild"):
        pass


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import time; from pathlib import Path; from magpie.data.home.locks import lock_home\n"
        f"with lock_home(Path({str(tmp_path)!r}), 'rebuild'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(HomeLocked, match=str(holder.pid)), lock_home(tmp_path, "rebuild"):
            pass
        holder.kill()
        holder.wait()
        with lock_home(tmp_path, "rebuild", wait_s=5):
            pass


def test_migrations_stand_on_nothing_that_may_change() -> None:
    versions = sorted((Path(connection.__file__).parent / "migrations" / "versions").glob("*.py"))
    assert len(versions) >= 8
    allowed = {"alembic", "sqlalchemy", *sys.stdlib_module_names}
    for path in versions:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path.name
