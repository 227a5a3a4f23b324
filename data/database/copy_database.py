"""Copies a database into an empty one of any kind, in one transaction; counts and checksums compare every table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from magpie.data.database.connection import Database, open_database
from magpie.data.database.postgresql import copy_rows
from magpie.data.database.tables import RowId, counters, metadata, signing_keys
from magpie.data.errors import BadSetting, Conflict
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.settings import Settings

BATCH = 5_000
_VERSIONS = "alembic_version"
_SEEDED = (counters.name, signing_keys.name)  # have rows from their migrations on
_DIGEST_BYTES = 16
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CopiedTable:
    """How many rows of a table were copied, and their checksum, which is the same here and there."""

    rows: int
    checksum: str


@dataclass(frozen=True)
class CopyReport:
    """From where to where (without passwords), and what by table."""

    source: str
    target: str
    tables: dict[str, CopiedTable]

    @property
    def rows(self) -> int:
        """All rows together."""
        return sum(table.rows for table in self.tables.values())

    def as_dict(self) -> dict[str, Any]:
        """The report as `migrate --json` prints it."""
        return asdict(self) | {"rows": self.rows}


def copy_database(settings: Settings, target_url: str, progress: Progress) -> CopyReport:
    """Copies all rows of the home's database into the one at this URL, which must hold nothing, and says what.

    Nobody writes either meanwhile. The target is committed once every table was read back and compared; when this is
    killed or fails it has empty tables, and can be filled again. Raises HomeLocked while the home is served or
    indexed, BadSetting for a URL that cannot be opened or names the same database, Conflict for a target that is not
    empty or does not keep what it was given.
    """
    with lock_home(settings.home, SERVING), lock_home(settings.home, "rebuild"):
        source = open_database(settings)
        try:
            target = open_database(settings.model_copy(update={"database_url": target_url}))
            try:
                _check_is_another(source, target)
                return _copy(source, target, progress)
            finally:
                target.close()
        finally:
            source.close()


def _copy(source: Database, target: Database, progress: Progress) -> CopyReport:
    copied: dict[str, CopiedTable] = {}
    # the source's writers wait as well: what they wrote after their table was copied would be missing
    with source.writing() as from_, target.writing(durable=True) as to:
        _check_empty(to)
        total = sum(_count(from_, table) for table in metadata.sorted_tables)
        done = 0
        for table in metadata.sorted_tables:
            for rows in _rows(from_, table):
                _insert(to, table, rows)
                done += len(rows)
                progress("copy", done, total)
        done = 0
        for table in metadata.sorted_tables:
            copied[table.name] = given = _summary(from_, table)
            if (kept := _summary(to, table)) != given:
                raise Conflict(f"{_shown(target)}: keeps {table.name} as {kept}, was given {given}; nothing was copied")
            done += given.rows
            progress("compare", done, total)
            _number_on(from_, to, table)
    return CopyReport(_shown(source), _shown(target), copied)


def _check_is_another(source: Database, target: Database) -> None:
    if target.engine.url == source.engine.url:
        raise BadSetting(f"{_shown(target)}: is the home's database already; give the URL of another")


def _check_empty(connection: Connection) -> None:
    """Raises Conflict unless there are only the tables of a new database, with what its migrations put there."""
    known = {table.name for table in metadata.sorted_tables} | {_VERSIONS}
    strange = sorted(set(inspect(connection).get_table_names()) - known)
    used = [table for table in metadata.sorted_tables if table.name not in _SEEDED and _count(connection, table)]
    used += [counters] if connection.execute(select(counters.c.name).where(counters.c.value != 0)).first() else []
    if strange or used:
        found = f"table {strange[0]}" if strange else f"rows in {used[0].name}"
        raise Conflict(f"{connection.engine.url.render_as_string()}: is not empty (it holds {found}); give a new one")
    for name in _SEEDED:
        connection.execute(delete(metadata.tables[name]))


def _insert(connection: Connection, table: Table, rows: Sequence[Row[Any]]) -> None:
    try:
        if connection.dialect.name == "postgresql":
            copy_rows(connection, table, rows)
        else:
            connection.execute(insert(table), [dict(row._mapping) for row in rows])
    except (DBAPIError, connection.dialect.loaded_dbapi.Error) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise Conflict(f"{connection.engine.url.render_as_string()}: does not take {table.name}: {reason}") from error


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    return connection.execute(select(table), execution_options={"yield_per": BATCH}).partitions()


def _summary(connection: Connection, table: Table) -> CopiedTable:
    """Count and checksum: the sum of the rows' hashes, so that the order, which texts have by language, is nothing."""
    total = count = 0
    for rows in _rows(connection, table):
        for row in rows:
            hashed = blake2b(repr(tuple(row)).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES)
            total += int.from_bytes(hashed.digest(), "big")
        count += len(rows)
    return CopiedTable(count, f"{total % (1 << 8 * _DIGEST_BYTES):0{2 * _DIGEST_BYTES}x}")


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _number_on(source: Connection, target: Connection, table: Table) -> None:
    """Lets the target go on where the source's numbers are, so that those of deleted rows are not given again."""
    column = table.autoincrement_column
    if column is None or column.type is not RowId:
        return
    last = max(_last_number(source, table), target.execute(select(func.max(column))).scalar() or 0)
    if not last:
        return
    if target.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        target.execute(select(func.setval(sequence, last)))
    elif target.dialect.name == "sqlite":
        target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        target.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), {"name": table.name, "last": last})


def _last_number(connection: Connection, table: Table) -> int:
    """The highest number that the table ever gave, 0 where its kind of database does not tell."""
    column = table.autoincrement_column
    if column is not None and connection.dialect.name == "postgresql":
        sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar_one()
        found = connection.execute(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"))
        return int(found.scalar() or 0)
    if connection.dialect.name == "sqlite":
        asked = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return int(connection.execute(asked, {"name": table.name}).scalar() or 0)
    return 0


def _shown(database: Database) -> str:
    return database.engine.url.render_as_string()
