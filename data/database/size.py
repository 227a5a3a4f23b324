"""How large the database is."""

from sqlalchemy import Connection

from magpie.data.database.connection import Database


def size_bytes(database: Database) -> int:
    """Bytes that the database takes, without what deleted rows left free."""
    with database.reading() as connection:
        if connection.dialect.name == "postgresql":
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        return (_pragma(connection, "page_count") - _pragma(connection, "freelist_count")) * _pragma(
            connection, "page_size"
        )


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
