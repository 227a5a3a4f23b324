"""Draws series of numbers as SVG plots, light or dark, wide or narrow; the first plot loads matplotlib.

A plot contains no words, which stand in the page beside it, where they are translated and read aloud.
Colours are attributes, not styles, since the Content-Security-Policy forbids inline styles.
"""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from magpie.search.confidence_intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SVG = "http://www.w3.org/2000/svg"
_DAY_S = 86_400
_INCH = 72  # one point of matplotlib's becomes one pixel
SIZES = {"wide": (560, 240), "narrow": (340, 220)}
_one_at_a_time = threading.Lock()  # matplotlib's parameters and font cache are not made for threads


@dataclass(frozen=True)
class Theme:
    """The page's colours; `first` and `second` tell two series apart, by lightness as well as by hue."""

    ink: str
    grid: str
    first: str
    second: str
    soft: str


THEMES = {
    "light": Theme("#5b5e67", "#e5e2dc", "#0d5f8f", "#c2570c", "#cfdfe9"),
    "dark": Theme("#a7a9b2", "#2e3138", "#74c2ea", "#f2a65e", "#274152"),
}
Draw = Callable[["Axes", Theme], None]


def draw_days(days: Sequence[int], searches: Sequence[int | None], clicked: Sequence[int | None]) -> Draw:
    """One bar of searches for each day (days since 1970), its part with a click filled; no bar for None."""

    def draw(axes: "Axes", theme: Theme) -> None:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        at: Any = [datetime.fromtimestamp(day * _DAY_S, UTC) for day in days]
        axes.bar(at, [count or 0 for count in searches], width=0.8, color=theme.soft)
        axes.bar(at, [count or 0 for count in clicked], width=0.8, color=theme.first)
        locator = AutoDateLocator(minticks=3, maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
        axes.set_ylim(0, 1.08 * max((count or 0 for count in searches), default=0) or 1)
        _whole_numbers(axes)

    return draw


def draw_shares(first: Sequence[Interval], second: Sequence[Interval]) -> Draw:
    """Two series of shares by position (from 1), with confidence intervals."""

    def draw(axes: "Axes", theme: Theme) -> None:
        for series, colour, marker, shift in ((first, theme.first, "o", -0.08), (second, theme.second, "s", 0.08)):
            at = [place + shift for place in range(1, len(series) + 1)]
            errors = [[one.value - one.low for one in series], [one.high - one.value for one in series]]
            axes.errorbar(
                at,
                [one.value for one in series],
                yerr=errors,
                fmt=f"{marker}-",
                color=colour,
                ms=4.5,
                lw=1.6,
                elinewidth=1,
            )
        most = max((one.value for one in (*first, *second)), default=1.0)
        axes.set_ylim(0, min(1.0, 1.6 * most) or 1.0)
        _shares_by_position(axes)

    return draw


def draw_curve(curve: Sequence[Interval], assumed: Sequence[float]) -> Draw:
    """A curve by position (from 1) with the band of its confidence intervals, and the assumed curve dashed."""

    def draw(axes: "Axes", theme: Theme) -> None:
        at = range(1, len(curve) + 1)
        axes.fill_between(at, [one.low for one in curve], [one.high for one in curve], color=theme.soft, lw=0)
        axes.plot(at, [one.value for one in curve], "o-", color=theme.first, ms=4.5, lw=1.8)
        axes.plot(range(1, len(assumed) + 1), assumed, "--", color=theme.second, lw=1.4)
        axes.set_ylim(0, 1.05)
        _shares_by_position(axes)

    return draw


def draw_gains(names: Sequence[str], gains: Sequence[Interval | None], others: Sequence[Interval | None]) -> Draw:
    """A row for each name: two gains with confidence intervals, and a vertical line at zero."""

    def draw(axes: "Axes", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        for values, colour, marker, shift in ((gains, theme.first, "o", -0.12), (others, theme.second, "s", 0.12)):
            for place, one in enumerate(values):
                if one is not None:
                    error = [[one.value - one.low], [one.high - one.value]]
                    axes.errorbar(one.value, place + shift, xerr=error, fmt=marker, color=colour, ms=6, elinewidth=2)
        axes.axvline(0, color=theme.ink, lw=1)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.grid(axis="x", color=theme.grid, lw=0.8)
        axes.grid(axis="y", visible=False)

    return draw


def render_plot(draw: Draw, theme_name: str, size: str, title: str, description: str) -> bytes:
    """The plot as SVG with title and description. `theme_name` is one of THEMES, `size` one of SIZES."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    theme, (width, height) = THEMES[theme_name], SIZES[size]
    with _one_at_a_time, rc_context(_parameters(theme)):
        figure = Figure(figsize=(width / _INCH, height / _INCH), layout="constrained")
        axes = figure.subplots()
        axes.set_axisbelow(True)
        axes.grid(axis="y", color=theme.grid, lw=0.8)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        draw(axes, theme)
        written = io.BytesIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _speaking(written.getvalue(), title, description)


def _parameters(theme: Theme) -> dict[str, Any]:
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), theme.ink)
    sizes = {"font.size": 12, "xtick.major.size": 0, "ytick.major.size": 0}
    return colours | sizes | {"axes.edgecolor": theme.grid, "svg.fonttype": "none", "svg.hashsalt": "magpie"}


def _shares_by_position(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=2))


def _whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _speaking(svg: bytes, title: str, description: str) -> bytes:
    """The SVG with a title and a description for screen readers, and with attributes instead of styles."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    for name in ("metadata", "title"):
        for element in root.findall(f"{{{_SVG}}}{name}"):
            root.remove(element)
    for definitions in root.findall(f"{{{_SVG}}}defs"):
        for style in definitions.findall(f"{{{_SVG}}}style"):
            definitions.remove(style)
    for element in root.iter():
        for declaration in filter(None, element.attrib.pop("style", "").split(";")):
            name, _, value = declaration.partition(":")
            element.set(name.strip(), value.strip())
        if "font-family" in element.attrib:
            element.set("font-family", "system-ui, sans-serif")
    root.attrib |= {
        "role": "img",
        "aria-labelledby": "title desc",
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    for name in ("width", "height"):
        root.set(name, root.attrib[name].removesuffix("pt"))
    for place, (name, words) in enumerate((("title", title), ("desc", description))):
        told = ElementTree.Element(f"{{{_SVG}}}{name}", {"id": name})
        told.text = words
        root.insert(place, told)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
