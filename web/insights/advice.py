"""What the figures mean in sentences: advice on what to do next, and one finding for each plot."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from magpie.search.confidence_intervals import Interval, share_of
from magpie.search.ranker.ranker import FEWEST_CLICKS
from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.demand import unanswered_table, unclicked_table

Text = Callable[..., str]

MOST_ADVICE = 6
_MUCH_UNSEEN = 0.2
_FAR = 10  # the position that a finding compares with the first


@dataclass(frozen=True)
class Advice:
    """The name of a text with its values, and the section that it is about."""

    name: str
    section: str
    values: dict[str, object] = field(default_factory=dict)


def advise(figures: Figures) -> list[Advice]:
    """At most six things to do, the most urgent first."""
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
    catalogue = figures.catalogue
    if catalogue.conflicts:
        yield Advice("todo_conflicts", "conflicts", {"n": f"{len(catalogue.conflicts):,}"})
    share = catalogue.unseen.never_shown / max(catalogue.unseen.items, 1)
    if share > _MUCH_UNSEEN and figures.demand.searches > catalogue.unseen.items / 10:
        yield Advice("todo_unseen", "never-shown", {"share": f"{share:.0%}"})


def _about_learning(figures: Figures) -> Iterator[Advice]:
    standings = figures.learned.standings
    clicks = figures.demand.clicked
    if not standings and clicks >= FEWEST_CLICKS:
        yield Advice("todo_train", "rankers", {"n": f"{clicks:,}"})
    elif standings and not any(one.is_serving for one in standings):
        yield Advice("todo_judged", "rankers", {"reason": standings[0].reason})


def finding_of(name: str, figures: Figures, text: Text) -> str:
    """What a section's plot shows, in a sentence; "" if there is nothing to say."""
    make = _FINDINGS.get(name)
    return make(figures, text) if make else ""


def _examination(figures: Figures, text: Text) -> str:
    found = figures.learned.examination
    if not found.propensities.is_measured:
        return ""
    return text("examination_found", second=_percent(found.at(2)), tenth=_percent(found.at(_FAR)))


def _positions(figures: Figures, text: Text) -> str:
    by_position = {one.position: one for one in figures.learned.positions}
    if by_position and not figures.learned.examination.propensities.is_measured:
        return text("positions_assumed")
    if 1 not in by_position or _FAR not in by_position:
        return ""
    first, far = by_position[1], by_position[_FAR]
    values = {
        "raw": first.raw.value / max(far.raw.value, 1e-9),
        "debiased": first.debiased.value / max(far.debiased.value, 1e-9),
    }
    return text("positions_found", **{name: f"{value:.1f}" for name, value in values.items()})


def _rankers(figures: Figures, text: Text) -> str:
    """The serving ranker's gain over no re-ranking, and the gain of the ranker before it."""
    standings = figures.learned.standings
    at = next((place for place, one in enumerate(standings) if one.is_serving), None)
    if at is None or standings[at].known is None:
        return text("rankers_none") if standings else ""
    said = text("rankers_found", ranker=standings[at].number, gain=_interval(standings[at].known))
    before = next((one for one in standings[at + 1 :] if one.known), None)
    if before:
        said += " " + text("rankers_before", ranker=before.number, gain=_interval(before.known))
    return said


def _comparisons(figures: Figures, text: Text) -> str:
    for one in figures.learned.comparisons:
        share = share_of(one.for_b, one.for_a + one.for_b)
        if share:
            verdict = "b" if share.low > 0.5 else "a" if share.high < 0.5 else "unclear"
            a, b = one.rankings
            return text(f"comparisons_{verdict}", a=a, b=b, share=_interval(share))
    return ""


_FINDINGS: dict[str, Callable[[Figures, Text], str]] = {
    "examination": _examination,
    "positions": _positions,
    "rankers": _rankers,
    "comparisons": _comparisons,
}


def _percent(interval: Interval) -> str:
    return f"{interval.value:.0%}"


def _interval(interval: Interval | None) -> str:
    return f"{interval.value:.1%} ({100 * interval.low:.1f} – {100 * interval.high:.1f})" if interval else ""
