"""The insights page for the owner, its plots as SVG and its tables as CSV."""

import os
from collections.abc import Callable

from flask import Blueprint, Response, current_app, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from magpie.data.database.api_tokens import READ
from magpie.data.errors import BadInput, NotFound
from magpie.data.settings import Settings
from magpie.search.confidence_intervals import Interval
from magpie.web.insights.csv_download import csv_answer
from magpie.web.insights.figures import Figures, FiguresCache
from magpie.web.insights.plots import SIZES, THEMES, Draw, draw_curve, draw_days, draw_gains, draw_shares, render_plot
from magpie.web.insights.tables.by_name import TABLES
from magpie.web.insights.tables.rankings import examination_table
from magpie.web.insights.texts import insights_texts
from magpie.web.insights.view import PERIODS, PLOTTED, days_parameter, legend_of, view_insights
from magpie.web.page.texts import language_of
from magpie.web.services import services

USUAL_DAYS = 30

insights = Blueprint("insights", __name__)


@insights.before_request
def guard_insights() -> None:
    """Lets only the owner in. Raises Unauthorized or Forbidden."""
    services().access.demand(READ)


@insights.get("/insights")
def insights_page() -> AnyResponse:
    """The page for the period in the address."""
    language = language_of(request)
    text = insights_texts(language)
    view = view_insights(_figures(), text)
    answer = make_response(render_template("insights.html", view=view, i=text, language=language))
    return _for_the_owner_alone(answer)


@insights.get("/insights/<table>.csv")
def table_as_csv(table: str) -> AnyResponse:
    """One table with all its rows, as CSV."""
    if table not in TABLES:
        raise NotFound(f"There is no table {table!r}; there are: {', '.join(TABLES)}")
    figures = _figures()
    made = TABLES[table](figures)
    name = f"magpie-{table}-{days_parameter(figures.period.days)}"
    return _for_the_owner_alone(csv_answer(name, made.csv_header, made.csv_rows))


@insights.get("/insights/plots/<name>.svg")
def plot_as_svg(name: str) -> AnyResponse:
    """One plot as SVG, in the theme and size of the address."""
    if name not in PLOTTED:
        raise NotFound(f"There is no plot {name!r}; there are: {', '.join(PLOTTED)}")
    theme, size = (_one_of(key, known) for key, known in (("theme", list(THEMES)), ("size", list(SIZES))))
    text = insights_texts(language_of(request))
    _keep_fonts_in(services().settings)
    svg = render_plot(_DRAWN[name](_figures()), theme, size, text(name), ". ".join(legend_of(name, text)))
    return _for_the_owner_alone(Response(svg, mimetype="image/svg+xml"))


def _days(figures: Figures) -> Draw:
    known = figures.demand.days
    return draw_days([one.day for one in known], [one.searches for one in known], [one.clicked for one in known])


def _positions(figures: Figures) -> Draw:
    found = figures.learned.positions
    return draw_shares([one.raw for one in found], [one.debiased for one in found])


def _examination(figures: Figures) -> Draw:
    curve = [cell for _, cell in examination_table(figures).rows if isinstance(cell, Interval)]
    return draw_curve(curve, [1 / place for place in range(1, len(curve) + 1)])


def _rankers(figures: Figures) -> Draw:
    found = figures.learned.standings
    names = [one.number for one in found]
    return draw_gains(names, [one.known for one in found], [one.placebo for one in found])


_DRAWN: dict[str, Callable[[Figures], Draw]] = {
    "days": _days,
    "positions": _positions,
    "examination": _examination,
    "rankers": _rankers,
}


def _figures() -> Figures:
    asked = request.args.get("days", str(USUAL_DAYS))
    periods = {days_parameter(days): days for days in PERIODS}
    if asked not in periods:
        raise BadInput(f"days: {asked[:40]!r} is not offered; use one of {', '.join(periods)}")
    cache: FiguresCache = current_app.extensions.setdefault("magpie-insights", FiguresCache(services()))
    return cache.get(periods[asked], request.args.get("by", ""))


def _one_of(name: str, known: list[str]) -> str:
    given = request.args.get(name, known[0])
    if given not in known:
        raise BadInput(f"{name}: {given[:40]!r} is not offered; use one of {', '.join(known)}")
    return given


def _keep_fonts_in(settings: Settings) -> None:
    """Puts matplotlib's font cache into the home; matplotlib reads the folder from the environment when loaded."""
    os.environ.setdefault("MPLCONFIGDIR", str(settings.home.absolute() / "plots"))


def _for_the_owner_alone(answer: AnyResponse) -> AnyResponse:
    answer.cache_control.private = True
    answer.cache_control.no_cache = True
    return answer
