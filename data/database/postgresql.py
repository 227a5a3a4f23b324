"""What PostgreSQL needs beside SQLAlchemy: one writer at a time as in SQLite, snapshots, and names for its faults."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.engine import URL

from magpie.data.errors import (
    BadInput,
    BadSetting,
    DatabaseBusy,
    DatabaseUnreachable,
    DiskFault,
    HomeReadOnly,
    MagpieError,
    NotEnoughDisk,
)

CONNECT_TIMEOUT_S = 10
_CONNECTIONS_KEPT = 8
# One lock for all writers of a database. Numbers of rows and revisions are then committed in the order in which they
# were taken, so that who reads on from the last number it saw misses nothing; and no two writers can deadlock.
_WRITER_LOCK = 0x6D61677069650001  # "magpie", 1
_BEGIN_WRITING = f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})"
# a server may be set to commit before its disk has the commit; more than `on` (a standby) is left as it is
_BE_DURABLE = "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
# by SQLSTATE (PostgreSQL's documentation, appendix A): of a whole class two characters
_BUSY = ("55P03", "57014", "40")
_FULL, _READ_ONLY, _DISK_FAULT = ("53100",), ("25006",), ("58030", "XX001", "XX002")
_UNREACHABLE = ("08", "53300", "57P")


def with_driver(url: URL) -> URL:
    """The URL with the driver that Magpie is tested with, where it names none."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def pool_options(url: URL, threads: int) -> dict[str, Any]:
    """Arguments of `create_engine`: readers see one snapshot, and lost connections are found before they are used."""
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    return {
        "pool_size": _CONNECTIONS_KEPT,
        "max_overflow": threads + _CONNECTIONS_KEPT,
        "pool_pre_ping": True,
        "isolation_level": "REPEATABLE READ",
        "connect_args": timeout,
    }


def prepare(engine: Engine, patience_s: float) -> None:
    """Sets up each new connection, which then waits for locks for `patience_s` at most.

    Raises BadSetting where the database does not keep its texts in UTF-8.
    """

    @event.listens_for(engine, "connect")
    def on_connect(driver_connection: Any, _record: Any) -> None:
        with driver_connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {max(int(patience_s * 1000), 1)}")
            cursor.execute("SET client_encoding = 'UTF8'")
        driver_connection.commit()

    with engine.connect() as connection:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise BadSetting(
            f"{engine.url.render_as_string()}: keeps its texts in {encoding}; "
            "create the database with: createdb --encoding=UTF8 --template=template0 NAME"
        )


def begin_writing(connection: Connection, durable: bool) -> None:
    """Waits for the writer before, in a transaction that has just begun at READ COMMITTED: what that one wrote is seen
    by every statement after this one."""
    cursor = connection.connection.cursor()
    cursor.execute(_BEGIN_WRITING)
    if durable:
        cursor.execute(_BE_DURABLE)
    cursor.close()


def copy_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Inserts whole rows, values in the order of the table's columns, by COPY. Raises the driver's errors."""
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    statement = f"COPY {quote(table.name)} ({columns}) FROM STDIN"
    driver_connection: Any = connection.connection.driver_connection
    with driver_connection.cursor() as cursor, cursor.copy(statement) as to:
        for row in rows:
            to.write_row(tuple(row))


def postgresql_fault(error: BaseException | None, place: str) -> MagpieError | None:
    """The named error for what the driver raised, None where it is no fault of locks, disk, line or input."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        if "NUL (0x00)" in str(error):
            return BadInput("holds a NUL character, which is no text")
        is_of_the_line = type(error).__name__ in ("OperationalError", "ConnectionTimeout")
        return DatabaseUnreachable(f"{place}: {_words(error)}; is it running?") if is_of_the_line else None
    if state.startswith(_BUSY):
        return DatabaseBusy(f"{place}: another process is writing; try again in a moment")
    if state.startswith(_FULL):
        return NotEnoughDisk(f"{place}: the database's disk is full; free some space and repeat")
    if state.startswith(_READ_ONLY):
        return HomeReadOnly(f"{place}: the database takes no writes (is it a standby?); give the one that does")
    if state.startswith(_DISK_FAULT):
        return DiskFault(f"{place}: the database's disk fails, or its files are damaged ({_words(error)})")
    if state.startswith(_UNREACHABLE):
        return DatabaseUnreachable(f"{place}: {_words(error)}; try again in a moment")
    return None


def drop_details(error: BaseException | None) -> None:
    """Shortens an error to its first line: the others repeat the row at fault, with words and names."""
    if error is not None and error.args:
        error.args = (str(error.args[0]).partition("\n")[0],)


def _words(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
