"""Who did something, as far as the log knows."""

from sqlalchemy import ColumnElement, Table, case


def actor_of(table: Table) -> ColumnElement[str]:
    """The client, else the session, else ""."""
    return case((table.c.client_id != "", table.c.client_id), else_=table.c.session_id)
