"""Identifies whom an event is counted as: the client, the session where no client is known, or where it came from."""

from sqlalchemy import ColumnElement, Table, case


def actor_of(table: Table) -> ColumnElement[str]:
    """SQL for the actor of each row of `queries` or `events`: client id, else session id, else ""."""
    return case((table.c.client_id != "", table.c.client_id), else_=table.c.session_id)


def person_of(table: Table) -> ColumnElement[str]:
    """SQL for whom each row counts as when people are counted: who proved nothing counts as their address, so that all
    the names that come from one are one person; all others as their actor."""
    return case((table.c.is_proved, actor_of(table)), else_=table.c.address)
