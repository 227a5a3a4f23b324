"""Holds the rows of a feed on disk: a feed is read once, and rows that belong together are found in any order."""

import marshal
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, cast

from magpie.data.errors import BadFeed
from magpie.data.feeds.nested_values import flatten

MAX_COLUMNS = 2_000
MAX_RAW_CHARS = 1_000


class Row(NamedTuple):
    """A row of a feed: its values by column number, or `fault` and the row as it was written."""

    line: int
    values: list[object]
    note: str = ""
    fault: str = ""
    raw: str = ""


class Table:
    """The rows of one feed in a temporary file without a name, which the system takes away with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.columns: list[str] = []
        self.notes: list[str] = []  # what is to be said of the feed as a whole
        self.num_dropped_columns = 0
        self._numbers: dict[str, int] = {}
        self._by_names: dict[tuple[str, ...], list[int]] = {}
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115  (closed by close())
        self._offsets = array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._offsets)

    def set_columns(self, names: Sequence[str]) -> None:
        """Names the columns of rows that come as cells; empty and repeated names get a number."""
        for number, given in enumerate(names[:MAX_COLUMNS], 1):
            base = given.strip() or f"column_{number}"
            name, n = base, 1
            while name in self._numbers:
                n += 1
                name = f"{base}_{n}"
            self._numbers[name] = len(self.columns)
            self.columns.append(name)
        if len(names) > MAX_COLUMNS:
            raise BadFeed(f"the header has {len(names):,} columns, at most {MAX_COLUMNS:,} are read; take some out")

    def add_cells(self, line: int, cells: Sequence[object], note: str = "") -> None:
        """Adds a row whose cells stand in the order of the columns."""
        self._write((line, list(cells), note))

    def add_record(self, line: int, record: Mapping[str, object], languages: Sequence[str] = ()) -> None:
        """Adds an object, nested or not; its fields become columns. Raises BadItem for one nested too deeply."""
        flat = flatten(record, languages)
        names = tuple(flat)
        places = self._by_names.get(names)
        if places is None:
            places = self._places(names)
        if places == list(range(len(names))):
            values = list(flat.values())
        else:
            values = [None] * (max(places, default=-1) + 1)
            for place, value in zip(places, flat.values(), strict=True):
                if place >= 0:
                    values[place] = value
        self._write((line, values, ""))

    def add_fault(self, line: int, reason: str, raw: object) -> None:
        """Adds a row that cannot be read."""
        self._write((line, reason, as_raw(raw)))

    def rows(self, order: Sequence[int] | None = None) -> Iterator[Row]:
        """The rows as they came, or those of these numbers (from 0) in this order."""
        self._file.flush()
        self._file.seek(0)
        ends = chain(self._offsets[1:], (self._end,) if self._offsets else ())
        if order is None:
            for start, end in zip(self._offsets, ends, strict=True):
                yield _as_row(marshal.loads(self._file.read(end - start)))
        else:
            for number in order:
                end = self._offsets[number + 1] if number + 1 < len(self._offsets) else self._end
                self._file.seek(self._offsets[number])
                yield _as_row(marshal.loads(self._file.read(end - self._offsets[number])))

    def close(self) -> None:
        """Gives the disk space back."""
        self._file.close()

    def _places(self, names: tuple[str, ...]) -> list[int]:
        if len(self._by_names) > 1_000:
            self._by_names.clear()
        places = []
        for name in names:
            place = self._numbers.get(name)
            if place is None and len(self.columns) < MAX_COLUMNS:
                place = self._numbers[name] = len(self.columns)
                self.columns.append(name)
            elif place is None:
                place = -1
                self.num_dropped_columns += 1
            places.append(place)
        self._by_names[names] = places
        return places

    def _write(self, row: tuple[int, object, str]) -> None:
        self._offsets.append(self._end)
        self._end += self._file.write(marshal.dumps(cast(tuple[int, str, str], row)))


def as_raw(raw: object) -> str:
    """A row as the rejects file shows it, cut to 1,000 characters."""
    text = raw if isinstance(raw, str) else repr(raw)
    return text[:MAX_RAW_CHARS].encode("utf-8", "backslashreplace").decode()


def _as_row(stored: tuple[int, object, str]) -> Row:
    line, content, text = stored
    return Row(line, content, text) if isinstance(content, list) else Row(line, [], "", str(content), text)
