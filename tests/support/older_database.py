"""Takes away from a database what later versions of its schema added, so that it can be migrated again."""

from sqlalchemy import Connection, text


def undo_origins(connection: Connection) -> None:
    """What `0010_origins` added."""
    for table in ("queries", "events"):
        for column in ("address", "block", "is_proved"):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
    connection.execute(text("DROP TABLE blocked_phrases"))
