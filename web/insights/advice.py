"""Figures → what the owner should do next, the most pressing first, each with the section that shows why."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from magpie.search.ranker.ranker import FEWEST_CLICKS
from magpie.web.insights.figures import Figures
from magpie.web.insights.tables import unanswered_table, unclicked_table

MOST_ADVICE = 6
_MUCH_UNSEEN = 0.2


@dataclass(frozen=True)
class Advice:
    """The name of a sentence with what fills it, and the section that it is about."""

    name: str
    section: str
    values: dict[str, object] = field(default_factory=dict)


def advise(figures: Figures) -> list[Advice]:
    """At most six things to do."""
    pressing = [*_about_index(figures), *_about_demand(figures), *_about_catalogue(figures), *_about_learning(figures)]
    return pressing[:MOST_ADVICE]


def _about_index(figures: Figures) -> Iterator[Advice]:
    for alarm in figures.health.status["alarms"][:2]:
        yield Advice("todo_alarm", "health", {"alarm": alarm})


def _about_demand(figures: Figures) -> Iterator[Advice]:
    for one in figures.demand.missing[:1]:
        yield Advice("todo_missing", "missing", {"word": one.word, "people": f"{one.people:,}"})
    for query, searches, _ in unanswered_table(figures).rows[:1]:
        yield Advice("todo_unanswered", "unanswered", {"query": query, "n": f"{searches:,}"})
    for query, searches, _ in unclicked_table(figures).rows[:1]:
        yield Advice("todo_unclicked", "unclicked", {"query": query, "n": f"{searches:,}"})


def _about_catalogue(figures: Figures) -> Iterator[Advice]:
    shelf = figures.shelf
    if shelf.conflicts:
        yield Advice("todo_conflicts", "conflicts", {"n": f"{len(shelf.conflicts):,}"})
    share = shelf.unseen.never_shown / max(shelf.unseen.items, 1)
    if share > _MUCH_UNSEEN and figures.demand.searches > shelf.unseen.items / 10:
        yield Advice("todo_unseen", "never-shown", {"share": f"{share:.0%}"})


def _about_learning(figures: Figures) -> Iterator[Advice]:
    standings = figures.learned.standings
    clicks = figures.demand.clicked
    if not standings and clicks >= FEWEST_CLICKS:
        yield Advice("todo_train", "rankers", {"n": f"{clicks:,}"})
    elif standings and not any(one.is_serving for one in standings):
        yield Advice("todo_judged", "rankers", {"reason": standings[0].reason})
