"""Prepares the figures for the insights template: tiles, advice, and chapters of sections with plot and table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from magpie.web.addresses import insights_csv_url, insights_plot_url, insights_url
from magpie.web.insights.advice import Advice, advise, finding_of
from magpie.web.insights.cells import CellPainter, CellView, is_numeric
from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.by_name import TABLES
from magpie.web.insights.tables.demand import date_of
from magpie.web.insights.tables.table import Table
from magpie.web.page.cards import plain_label

Text = Callable[..., str]

PERIODS: tuple[int | None, ...] = (7, 30, 90, None)
ROWS_SHOWN = 10
CHAPTERS = {
    "demand": ("days", "queries"),
    "gaps": ("unanswered", "unclicked", "missing"),
    "positions": ("positions", "examination"),
    "learning": ("rankers", "ranker-use", "comparisons"),
    "catalogue": ("conflicts", "never-shown", "exposure"),
    "health": ("health", "set-aside", "feed-runs"),
}
WIDE = ("comparisons", "conflicts")
PLOTTED = ("days", "positions", "examination", "rankers")
WITHOUT_PEOPLE = ("rankers", "conflicts", "health", "set-aside", "feed-runs")  # shown even if too few people searched


@dataclass(frozen=True)
class SectionView:
    """One table with its plot; `basis` says which period and how many observations it is made of."""

    name: str
    title: str
    about: str
    finding: str
    evidence: tuple[str, str] | None
    basis: str
    headers: list[CellView]
    rows: list[list[CellView]]
    more: str
    empty: str
    csv_url: str
    plot_url: str
    legend: list[str]
    is_wide: bool


@dataclass(frozen=True)
class InsightsView:
    """The whole page."""

    periods: list[tuple[str, str, bool]]
    tiles: list[tuple[str, str]]
    tiles_basis: str
    advice: list[tuple[Advice, str, str]]
    chapters: list[tuple[str, str, list[SectionView]]]
    notice: tuple[str, str] | None
    to_come: list[tuple[str, str]]
    privacy: str
    fields: list[tuple[str, str, bool]]
    days: str


def view_insights(figures: Figures, text: Text) -> InsightsView:
    """The page for these figures."""
    sections = {name: _section(name, make(figures), figures, text) for name, make in TABLES.items()}
    chapters = [
        (name, text(f"chapter_{name}"), [sections[one] for one in members if _is_shown(one, figures)])
        for name, members in CHAPTERS.items()
    ]
    return InsightsView(
        periods=[_period_link(days, figures, text) for days in PERIODS],
        tiles=_tiles(figures, text),
        tiles_basis=_basis("tiles", figures, text),
        advice=[(one, text(one.name, **one.values), text("see", title=text(one.section))) for one in advise(figures)],
        chapters=[chapter for chapter in chapters if chapter[2]],
        notice=_notice(figures, text),
        to_come=[] if figures.demand.searches else _to_come(text),
        privacy=text("privacy", k=figures.min_people),
        fields=[(name, plain_label(name), name == figures.catalogue.field) for name in figures.catalogue.fields],
        days=days_parameter(figures.period.days),
    )


def days_parameter(days: int | None) -> str:
    """The period as the parameter `days` of addresses."""
    return "all" if days is None else str(days)


def legend_of(name: str, text: Text) -> list[str]:
    """What the plot's two colours mean."""
    return [text(f"{name}_legend_1"), text(f"{name}_legend_2")]


def _is_shown(name: str, figures: Figures) -> bool:
    """Whether a section is shown; with too few people only sections about the catalogue and the index are, and
    imports of feeds only where there were some."""
    if name == "feed-runs":
        return bool(figures.health.feed_runs)
    return name in WITHOUT_PEOPLE or (figures.demand.searches > 0 and not figures.is_private)


def _section(name: str, table: Table, figures: Figures, text: Text) -> SectionView:
    shown = table.rows if name in CHAPTERS["health"] else table.rows[:ROWS_SHOWN]
    unseen = {"n": f"{figures.catalogue.unseen.never_shown:,}", "items": f"{figures.catalogue.unseen.items:,}"}
    parameters = {"days": days_parameter(figures.period.days)}
    if name == "exposure":
        parameters["by"] = figures.catalogue.field
    show = CellPainter(figures, text)
    seen = [(at, column) for at, column in enumerate(table.columns) if column.kind != "csv"]
    columns = [show.column(column, [row[at] for row in table.rows]) for at, column in seen]
    return SectionView(
        name=name,
        title=text(name),
        about=text(f"{name}_about", **unseen),
        finding=finding_of(name, figures, text),
        evidence=_evidence(name, figures, text),
        basis=_basis(name, figures, text),
        headers=[CellView(text(f"col_{column.name}"), is_numeric(column)) for _, column in seen],
        rows=[list(row) for row in zip(*(column[: len(shown)] for column in columns), strict=True)],
        more=text("shown_of", shown=len(shown), total=f"{len(table.rows):,}") if len(shown) < len(table.rows) else "",
        empty="" if table.rows else text(f"{name}_empty", k=figures.min_people),
        csv_url=insights_csv_url(name, parameters),
        plot_url=insights_plot_url(name, parameters["days"]) if name in PLOTTED and table.rows else "",
        legend=legend_of(name, text) if name in PLOTTED else [],
        is_wide=name in WIDE,
    )


def _basis(name: str, figures: Figures, text: Text) -> str:
    """The period and the number of observations that a section is made of."""
    period = _days(figures.period.first_day, figures.period.last_day, text)
    demand, learned, catalogue, latency = figures.demand, figures.learned, figures.catalogue, figures.health.latency
    people, items, found = f"{demand.people:,}", f"{catalogue.unseen.items:,}", learned.examination

    def counted(values: Iterable[int]) -> str:
        return f"{sum(values):,}"

    if name == "positions":
        impressions, clicks = (
            counted(x) for x in ((p.impressions for p in learned.positions), (p.clicks for p in learned.positions))
        )
        return f"{period} · {text('basis_positions', impressions=impressions, clicks=clicks)}"
    if name == "examination":
        numbers = {"impressions": f"{found.impressions:,}", "clicks": f"{found.clicks:,}"}
        told = text("basis_examination", days=found.days, pairs=found.propensities.num_pairs, **numbers)
        return f"{_days(found.first_day, found.last_day, text)} · {told}" if found.last_day else told
    if name == "rankers":
        compared = f"{sum(one.queries for one in learned.standings):,}"
        told = text("basis_rankers", n=len(learned.standings), queries=compared)
        dates = sorted(one.created_at[:10] for one in learned.standings)
        return f"{text('basis_period', first=dates[0], last=dates[-1])} · {told}" if dates else told
    if name == "comparisons" and learned.comparisons:
        searches, voters = (
            counted(x) for x in zip(*((c.searches, c.people) for c in learned.comparisons), strict=True)
        )
        return f"{period} · {text('basis_comparisons', searches=searches, people=voters)}"
    index = text("basis_index", day=str(figures.health.status.get("created_at") or "–")[:10])
    if name == "tiles":
        unseen = text("basis_unseen", n=f"{catalogue.unseen.never_shown:,}", items=items)
        told = text("basis_searches", searches=f"{demand.searches:,}", people=people)
        return f"{period} · {told}" + (f" · {unseen}" if catalogue.unseen.items else "")
    if name == "conflicts":
        return f"{index} · {text('basis_items', n=f'{len(catalogue.conflicts):,}', items=items)}"
    if name == "never-shown":
        return f"{period} · {text('basis_items', n=f'{catalogue.unseen.never_shown:,}', items=items)}"
    if name == "exposure":
        return f"{period} · {text('basis_exposure', choices=f'{catalogue.choices:,}', people=people)}"
    if name == "set-aside":
        today = date_of(figures.period.last_day)
        return text("basis_log", day=today, n=f"{figures.health.records:,}")
    if name == "feed-runs":
        runs = figures.health.feed_runs
        last = datetime.fromtimestamp(runs[-1].began_at, UTC).strftime("%Y-%m-%d %H:%M") if runs else ""
        return text("basis_feed-runs", n=f"{len(runs):,}", day=last)
    if name == "health":
        since = datetime.fromtimestamp(figures.health.since_s, UTC).strftime("%Y-%m-%d %H:%M")
        return f"{index} · {text('basis_health', n=f'{latency.count if latency else 0:,}', since=since)}"
    return f"{period} · {text('basis_searches', searches=f'{demand.searches:,}', people=people)}"


def _evidence(name: str, figures: Figures, text: Text) -> tuple[str, str] | None:
    """Label and address of the section that supports a finding: interleaving, for the rankers."""
    if name != "rankers" or not figures.learned.standings or not _is_shown("comparisons", figures):
        return None
    return text("see", title=text("comparisons")), "#comparisons"


def _days(first: int, last: int, text: Text) -> str:
    return text("basis_period", first=date_of(first), last=date_of(last))


def _tiles(figures: Figures, text: Text) -> list[tuple[str, str]]:
    demand, unseen = figures.demand, figures.catalogue.unseen
    tiles = []
    if demand.searches and not figures.is_private:
        tiles = [
            (text("tile_searches"), f"{demand.searches:,}"),
            (text("tile_people"), f"{demand.people:,}"),
            (text("tile_clicked"), f"{demand.clicked / demand.searches:.0%}"),
            (text("tile_unanswered"), f"{demand.unanswered / demand.searches:.0%}"),
        ]
        if unseen.items:
            tiles.append((text("tile_unseen"), f"{unseen.never_shown / unseen.items:.0%}"))
    return tiles


def _notice(figures: Figures, text: Text) -> tuple[str, str] | None:
    if figures.is_private:
        return text("private_title"), text("private_body", k=figures.min_people)
    if figures.demand.searches:
        return None
    title = text("empty_title" if figures.period.days is None else "empty_title_period")
    return title, text("empty_body", k=figures.min_people)


def _to_come(text: Text) -> list[tuple[str, str]]:
    """Each chapter's title with the titles of the sections that will appear in it."""
    return [
        (text(f"chapter_{chapter}"), ", ".join(text(name) for name in names if name not in WITHOUT_PEOPLE))
        for chapter, names in CHAPTERS.items()
        if not set(names) <= set(WITHOUT_PEOPLE)
    ]


def _period_link(days: int | None, figures: Figures, text: Text) -> tuple[str, str, bool]:
    label = text("all") if days is None else text("last_days", n=days)
    return label, insights_url(days_parameter(days)), days == figures.period.days
