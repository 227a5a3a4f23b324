"""Formats table cells for the page: as text, bars, links, or items with their pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from magpie.data.catalogue.items import Item
from magpie.search.confidence_intervals import Interval
from magpie.search.reports.exposure_fairness import NONE
from magpie.web.addresses import item_url, picture_url
from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.table import Cell, Column, Sentence
from magpie.web.insights.texts import has_text
from magpie.web.page.cards import plain_label
from magpie.web.page.state import PageState

Text = Callable[..., str]

_NUMERIC = ("count", "share", "number", "interval", "bar")


@dataclass(frozen=True)
class CellView:
    """A cell as the template shows it.

    `bar` is the length of its bar from 0 to 100, None without one; `language` is set if the text exists in one
    language only; `kind` selects its style: "name" is never broken into lines, "long" is a sentence.
    """

    text: str
    is_number: bool = False
    note: str = ""
    url: str = ""
    image: str = ""
    bar: float | None = None
    language: str = ""
    kind: str = ""


def is_numeric(column: Column) -> bool:
    """Whether a column is aligned to the right."""
    return column.kind in _NUMERIC


@dataclass(frozen=True)
class CellPainter:
    """Formats the cells of these figures in one language."""

    figures: Figures
    text: Callable[..., str]

    def column(self, column: Column, cells: Sequence[Cell]) -> list[CellView]:
        """The cells of one column, in order; the longest bar is 100."""
        if column.kind == "bar":
            numbers = [cell if isinstance(cell, int | float) else 0 for cell in cells]
            top = max(numbers, default=0) or 1
            words = [f"{one:.1%}" if isinstance(one, float) else f"{one:,}" for one in numbers]
            bars = [round(100 * one / top, 2) for one in numbers]
            return [CellView(said, True, bar=bar) for said, bar in zip(words, bars, strict=True)]
        return [self._cell(cell, column) for cell in cells]

    def _cell(self, cell: Cell, column: Column) -> CellView:
        if cell is None:
            return self._unknown(column)
        if isinstance(cell, Sentence):
            if not has_text(cell.name):
                return CellView(cell.english, language="en", kind="long")
            return CellView(self.text(cell.name, **cell.values), kind="long")
        words = str(cell)
        match column.kind:
            case "item":
                return _item_cell(words, self.figures.catalogue.items.get(words))
            case "query":
                return CellView(words, url=PageState(q=words).url)
            case "fact":
                return CellView(self._named("fact", words, plain_label(words)))
            case "reason":
                return CellView(self._named("reason", words, words), kind="long")
            case "part":
                return CellView(self._named("part", words, plain_label(words)), kind="name")
            case "flag":
                return CellView(self.text("yes" if cell else "no"))
            case "english":
                return CellView(words, language="en", kind="long")
            case "time":
                return CellView(words.replace("T", " ").partition("+")[0])
            case "share" if isinstance(cell, int | float):
                return CellView(f"{cell:.0%}", True)
            case "value" if not isinstance(cell, str):
                return CellView(_number(cell))
            case "value":
                return CellView(words)
            case "name":
                return CellView(words or self.text("none_value"), kind="name")  # imported searches may have no ranker
            case "text":
                return CellView(self.text("none_value") if words == NONE else words)
        return CellView(_number(cell), True)

    def _named(self, kind: str, words: str, unknown: str) -> str:
        """The text for a stored name, or `unknown`: a newer or older version may have written it."""
        name = f"{kind}_{words.replace(' ', '_')}"
        return self.text(name) if has_text(name) else unknown

    def _unknown(self, column: Column) -> CellView:
        """The cell of an absent value; an absent count or share stands for too few people."""
        is_hidden = column.kind in ("count", "share", "number")
        note = self.text("hidden", k=self.figures.min_people) if is_hidden else ""
        return CellView(self.text("no_value"), is_numeric(column), note=note)


def _number(cell: Cell) -> str:
    """A number as people read it; shares have a fraction, counts none."""
    if isinstance(cell, Interval):
        return f"{cell.value:.1%} ({100 * cell.low:.1f} – {100 * cell.high:.1f})"
    if isinstance(cell, float):
        return f"{cell:,.3g}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _item_cell(item_id: str, item: Item | None) -> CellView:
    if item is None:
        return CellView(item_id, url=item_url(item_id))
    good = [picture for picture in item.pictures if picture.status == "ok"]
    image = f"{picture_url(item_id, good[0].content_hash)}&w=160" if good else ""
    return CellView(item.title or item_id, note=item_id, url=item_url(item_id), image=image)
