"""A table of the insights page: named columns and rows of cells, the same for the page and for its CSV file."""

from collections.abc import Mapping
from dataclasses import dataclass

from magpie.search.confidence_intervals import Interval


@dataclass(frozen=True)
class Sentence:
    """A cell that is a sentence: the page shows text `name` in the reader's language, CSV files hold `english`."""

    english: str
    name: str
    values: Mapping[str, object]


Cell = str | int | float | Interval | Sentence | None


@dataclass(frozen=True)
class Column:
    """`name` heads the column in CSV; `kind` says how the page shows its values.

    Kinds are text, sentence, english (in any language), name, time, flag, query, item, part (of an item),
    fact, count, bar (a count or share with a bar), reason (of setting aside), share, number, value (of a fact),
    interval (which CSV has in three columns), and csv (only in CSV).
    """

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """Rows of cells in the order of the columns."""

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]

    @property
    def csv_header(self) -> list[str]:
        """The columns' names; an interval has three: value, lower and upper end."""
        named = [
            [c.name, f"{c.name}_low", f"{c.name}_high"] if c.kind == "interval" else [c.name] for c in self.columns
        ]
        return [name for names in named for name in names]

    @property
    def csv_rows(self) -> list[list[object]]:
        """The cells as plain values; floats are rounded to six digits."""
        return [
            [value for cell, column in zip(row, self.columns, strict=True) for value in _plain(cell, column)]
            for row in self.rows
        ]


def _plain(cell: Cell, column: Column) -> list[object]:
    if column.kind == "interval":
        ends = (cell.value, cell.low, cell.high) if isinstance(cell, Interval) else (None, None, None)
        return [None if one is None else round(one, 6) for one in ends]
    if isinstance(cell, Sentence):
        return [cell.english]
    return [round(cell, 6) if isinstance(cell, float) else cell]


def columns_of(**kinds: str) -> tuple[Column, ...]:
    """Columns of these names and kinds, in this order."""
    return tuple(Column(name, kind) for name, kind in kinds.items())
