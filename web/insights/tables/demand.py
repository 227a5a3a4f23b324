"""Tables of what people search: by day, the most frequent queries, and those without results or clicks."""

from datetime import UTC, datetime

from magpie.data.aggregates.query_sessions import DAY_MS
from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.table import Cell, Table, columns_of


def date_of(day: int) -> str:
    """A day, given as days since 1970, in ISO 8601."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()


def days_table(figures: Figures) -> Table:
    """Every day of the period, the newest first."""
    columns = columns_of(
        day="name", searches="count", people="count", searches_with_click="count", searches_without_answer="count"
    )
    days = figures.demand.days[::-1] if figures.demand.searches and not figures.is_private else []
    return Table(columns, [(date_of(d.day), d.searches, d.people, d.clicked, d.unanswered) for d in days])


def queries_table(figures: Figures) -> Table:
    """The most frequent queries."""
    columns = columns_of(query="query", searches="bar", people="count", click_share="share", no_answer_share="share")
    rows: list[tuple[Cell, ...]] = [
        (one.query, one.searches, one.people, one.clicked / one.searches, one.unanswered / one.searches)
        for one in figures.demand.queries
        if one.query
    ]
    return Table(columns, rows)


def unanswered_table(figures: Figures) -> Table:
    """Queries without a confident answer in most of their searches."""
    columns = columns_of(query="query", searches_without_answer="bar", people="count")
    found = [one for one in figures.demand.queries if one.unanswered > one.searches / 2]
    found.sort(key=lambda one: (-one.unanswered, one.query))
    return Table(columns, [(one.query, one.unanswered, one.people) for one in found])


def unclicked_table(figures: Figures) -> Table:
    """Queries with results that nobody clicked."""
    columns = columns_of(query="query", searches="bar", people="count")
    found = [one for one in figures.demand.queries if not one.clicked and one.unanswered <= one.searches / 2]
    return Table(columns, [(one.query, one.searches, one.people) for one in found])


def missing_table(figures: Figures) -> Table:
    """Words of queries that no item contains."""
    columns = columns_of(word="query", people="bar", searches="count")
    return Table(columns, [(one.word, one.people, one.searches) for one in figures.demand.missing])
