"""Opens the database at the right schema, once per process, and reads and writes it in transactions."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from magpie.data.database import postgresql
from magpie.data.database.migrations import HEAD
from magpie.data.errors import BadSetting, DatabaseTooNew, NotEnoughDisk
from magpie.data.home.disk_errors import sqlite_fault
from magpie.data.home.locks import lock_home
from magpie.data.home.unfinished_restore import check_restored
from magpie.data.settings import Settings

PATIENCE_S = 10.0
MIGRATIONS = Path(__file__).parent / "migrations"
_WRITES, _DURABLE = "magpie_writes", "magpie_durable"
_WRITING: dict[str, dict[str, Any]] = {  # further options of a writing connection, by kind of database
    # a writer sees what the one before it committed while it waited; readers have a snapshot
    "postgresql": {"isolation_level": "READ COMMITTED"}
}
Fetch = Callable[[str], list[tuple[Any, ...]]]  # all rows of a statement without parameters


class Database:
    """A pool of connections, safe to share among threads; a forked child may go on using it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._pid = os.getpid()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one snapshot of the data until the block ends.

        Raises DatabaseBusy, DatabaseUnreachable or DiskFault where the database cannot be read now.
        """
        with _named_faults(self.engine), self._pool().connect() as connection:
            yield connection

    @contextmanager
    def fetching(self) -> Iterator[Fetch]:
        """Runs statements without parameters in one snapshot, straight from the driver: every search waits for it.

        SQLAlchemy's connections and results take as long as SQLite does (docs/speed.md). Raises as `reading` does.
        """
        with _named_faults(self.engine), closing(self._pool().raw_connection()) as connection:
            cursor = connection.cursor()
            if self.engine.dialect.name == "sqlite":
                cursor.execute("BEGIN")
            yield partial(_fetch, cursor)

    @contextmanager
    def writing(self, durable: bool = False) -> Iterator[Connection]:
        """A connection whose changes are committed together at the block's end, or not at all if it raises.

        A commit always survives the death of this process; `durable` makes it survive a power cut as well.
        Raises DatabaseBusy if another writer holds the database for longer than this one's patience, NotEnoughDisk,
        HomeReadOnly, DiskFault; nothing is written then. After DatabaseUnreachable nobody knows: do it again.
        """
        with (
            _named_faults(self.engine),
            _to_write(self._pool(), durable) as connection,
        ):
            if connection.dialect.name == "sqlite":
                _set_synchronous(connection, "FULL" if durable else "NORMAL")
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Closes all connections."""
        self._pool().dispose()

    def _pool(self) -> Engine:
        # a connection must not be used on both sides of a fork: the child lets go of its parent's
        if self._pid != os.getpid():
            self.engine.dispose(close=False)
            self._pid = os.getpid()
        return self.engine


def _to_write(engine: Engine, durable: bool = False) -> Connection:
    options = _WRITING.get(engine.dialect.name, {})
    return engine.connect().execution_options(**{_WRITES: True, _DURABLE: durable}, **options)


def fetch_all(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    """All rows of a statement without parameters, in the connection's transaction. Raises the driver's own errors."""
    if not connection.in_transaction():
        connection.begin()
    return _fetch(connection.connection.cursor(), statement)


def _fetch(cursor: Any, statement: str) -> list[tuple[Any, ...]]:
    cursor.execute(statement)
    return list(cursor.fetchall())


def open_database(settings: Settings, patience_s: float = PATIENCE_S) -> Database:
    """The database of these settings, created or migrated to this version's schema where necessary.

    Who wants to write waits for another writer for `patience_s`. An older SQLite database is copied beside itself
    first. Raises DatabaseTooNew where a newer Magpie wrote it, Conflict where a restore into
    the home did not end, BadSetting where it cannot be opened or written.
    """
    try:
        url = postgresql.with_driver(make_url(settings.database))
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            raise BadSetting("MAGPIE_DATABASE_URL: a database in memory ends with its process; give a file")
        # errors say which statement failed, never with which words, names or salts
        engine = create_engine(url, hide_parameters=True, **_pool_options(url, settings, patience_s))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise BadSetting(f"MAGPIE_DATABASE_URL: {error}; give an SQLAlchemy URL whose driver is installed") from error
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        check_restored(settings.home)
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        elif engine.dialect.name == "postgresql":
            postgresql.prepare(engine, patience_s)
            _take_turns(engine)
        if _stamp(engine) != HEAD:
            with lock_home(settings.home, "migration", wait_s=60):
                _migrate(engine)
    except OSError as error:
        engine.dispose()
        raise BadSetting(f"{settings.home}: {error.strerror}; give a writable folder with --home") from error
    except DBAPIError as error:
        engine.dispose()
        raise BadSetting(f"{url.render_as_string()}: cannot be opened ({error.orig})") from error
    except BaseException:
        engine.dispose()
        raise
    return Database(engine)


def _pool_options(url: URL, settings: Settings, patience_s: float) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"pool_size": 8, "max_overflow": 56, "connect_args": {"timeout": patience_s}}
    if url.get_backend_name() == "postgresql":
        return postgresql.pool_options(url, settings.threads)
    return {"pool_size": 8, "max_overflow": 56, "pool_pre_ping": True}


def _take_turns(engine: Engine) -> None:
    """Who writes PostgreSQL waits for the writer before, as in SQLite."""

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(_WRITES):
            postgresql.begin_writing(connection, bool(options.get(_DURABLE)))


def _prepare_sqlite(engine: Engine) -> None:
    """Readers never wait for the writer (WAL), and a transaction begins when we say so, not when the driver guesses."""

    @event.listens_for(engine, "connect")
    def on_connect(driver_connection: Any, _record: Any) -> None:
        driver_connection.isolation_level = None
        for pragma in ("foreign_keys=ON", "synchronous=NORMAL", "cache_size=-4000"):
            driver_connection.execute(f"PRAGMA {pragma}")
        # switching to WAL takes a lock; asking for it again would make each new connection wait for writers
        if driver_connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _switch_to_wal(driver_connection)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # a writer takes its lock at once: a snapshot that turns into a write can fail halfway
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _switch_to_wal(driver_connection: Any) -> None:
    """Waits for another process that does so to a new database at this moment: here SQLite itself does not wait."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            driver_connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _set_synchronous(connection: Connection, level: str) -> None:
    if connection.info.get("synchronous", "NORMAL") != level:
        connection.connection.cursor().execute(f"PRAGMA synchronous={level}")
        connection.info["synchronous"] = level


@contextmanager
def _named_faults(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:  # the latter from the driver itself
        driver_error = getattr(error, "orig", error)
        if engine.dialect.name == "postgresql":
            named = postgresql.postgresql_fault(driver_error, str(engine.url.database))
            postgresql.drop_details(driver_error)
            postgresql.drop_details(error)
        else:
            named = sqlite_fault(driver_error, str(engine.url.database))
        if named is None:
            raise
        raise named from error


def _stamp(engine: Engine) -> str | None:
    """The schema revision that the database says it has; None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine) -> None:
    # imported here: it takes longer than opening a database that needs no migration
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    stamp = _stamp(engine)  # again, now that we hold the lock: another process may have been faster
    if stamp == HEAD:
        return
    if stamp is not None:
        if stamp not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
            raise DatabaseTooNew(
                f"{engine.url.render_as_string()} has schema {stamp}, this Magpie knows up to {HEAD}: update Magpie"
            )
        if engine.dialect.name == "sqlite" and engine.url.database:
            _copy_sqlite(engine, Path(engine.url.database), stamp)
    with _to_write(engine, durable=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _copy_sqlite(engine: Engine, path: Path, stamp: str) -> None:
    """A whole copy beside the database, so that a failed migration costs nothing."""
    copy, partial = (path.with_name(f"{path.name}.before-{HEAD}{suffix}") for suffix in ("", ".partial"))
    needed = path.stat().st_size
    if shutil.disk_usage(path.parent).free < 2 * needed:
        raise NotEnoughDisk(f"{path}: a copy before migrating from {stamp} needs {2 * needed:,} bytes of free disk")
    partial.unlink(missing_ok=True)
    with closing(engine.raw_connection()) as connection:  # VACUUM works outside a transaction only
        connection.cursor().execute("VACUUM INTO ?", (str(partial),))
    partial.replace(copy)
