"""Identifies the actor of an event: the client, or the session where no client is known."""

from sqlalchemy import ColumnElement, Table, case


def actor_of(table: Table) -> ColumnElement[str]:
    """SQL for the actor of each row of `queries` or `events`: client id, else session id, else ""."""
    return case((table.c.client_id != "", table.c.client_id), else_=table.c.session_id)
