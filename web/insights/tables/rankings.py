"""Tables of clicks by position, and of how the rankers and compared rankings did."""

from magpie.search.confidence_intervals import share_of
from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.table import Cell, Table, columns_of


def positions_table(figures: Figures) -> Table:
    """Click-through rate by position: clicks per impression, and debiased."""
    columns = columns_of(
        position="count",
        impressions="count",
        clicks="count",
        clicks_per_impression="interval",
        clicks_per_look="interval",
    )
    rows: list[tuple[Cell, ...]] = [
        (one.position, one.impressions, one.clicks, one.raw, one.debiased) for one in figures.learned.positions
    ]
    return Table(columns, rows)


def examination_table(figures: Figures) -> Table:
    """The propensity of each position; empty until it was measured."""
    found = figures.learned.examination
    is_told = found.propensities.is_measured and figures.demand.people >= figures.min_people
    positions = range(1, len(found.propensities.theta) + 1) if is_told else ()
    rows: list[tuple[Cell, ...]] = [(position, found.at(position)) for position in positions]
    return Table(columns_of(position="count", looked_at="interval"), rows)


def rankers_table(figures: Figures) -> Table:
    """The gain of every trained ranker over no re-ranking, the newest first."""
    columns = columns_of(
        ranker="name",
        trained_at="time",
        serving="flag",
        gain="interval",
        placebo_gain="interval",
        queries="count",
        verdict="english",
    )
    rows: list[tuple[Cell, ...]] = [
        (one.version, one.created_at, int(one.is_serving), one.known, one.placebo, one.queries, one.reason)
        for one in figures.learned.standings
    ]
    return Table(columns, rows)


def ranker_use_table(figures: Figures) -> Table:
    """Click share and mean reciprocal rank of the first click, by the ranker that served."""
    columns = columns_of(
        ranker="name", searches="count", people="count", click_share="interval", reciprocal_rank="interval"
    )
    rows: list[tuple[Cell, ...]] = [
        (one.ranker, one.searches, one.people, one.clicked, one.reciprocal_rank) for one in figures.learned.use
    ]
    return Table(columns, rows)


def comparisons_table(figures: Figures) -> Table:
    """Interleaved rankings, with the number of people who preferred each."""
    columns = columns_of(
        a="name",
        b="name",
        searches="count",
        people="count",
        for_a="count",
        for_b="count",
        ties="count",
        share_of_b="interval",
        p_value="number",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *one.rankings,
            one.searches,
            one.people,
            one.for_a,
            one.for_b,
            one.ties,
            share_of(one.for_b, one.for_a + one.for_b),
            one.p_value,
        )
        for one in figures.learned.comparisons
    ]
    return Table(columns, rows)
