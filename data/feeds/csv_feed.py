"""Reads .csv, .tsv and other delimited text into the table; a broken row costs no other row."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple, TextIO

from magpie.data.errors import BadFeed
from magpie.data.feeds.header_row import LOOKED_AT, find_delimiter, find_header
from magpie.data.feeds.open_source import OpenFeed
from magpie.data.feeds.table import Table
from magpie.data.feeds.text_encoding import find_encoding

MAX_ROW_CHARS = 2_000_000
SURE_AFTER = 3  # consecutive full rows after a broken one before short rows are accepted again
_QUOTED_FORMULA = re.compile(r'="([^"]*)"')  # how spreadsheets are made to keep leading zeros


def read_cells(feed: OpenFeed, table: Table) -> None:
    """Puts the rows of a delimited text into the table. Raises BadFeed where it has no usable header."""
    head = feed.head()
    encoding, page = find_encoding(head)
    if encoding not in ("utf-8", "utf-8-sig"):
        table.notes.append(f"read as {encoding}")
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    lines = head.decode(encoding, "replace").splitlines(keepends=True)
    start = lines[: 3 * LOOKED_AT]
    delimiter = (
        "\t" if feed.suffix in (".tsv", ".tab") and any("\t" in line for line in start) else find_delimiter(start)
    )
    with io.TextIOWrapper(feed.stream, encoding=encoding, errors=errors, newline="") as stream:
        records = iter(_Records(stream, delimiter, page if errors == "surrogateescape" else ""))
        first = list(islice((record for record in records if record.cells or record.fault), LOOKED_AT))
        header, is_named = find_header([record.cells for record in first])
        if header is None:
            raise BadFeed(f"{feed.name}: is empty; the first line must name the columns")
        cells = first[header].cells
        if first[header].fault:
            raise BadFeed(f"{feed.name}: line {first[header].line}, the header: {first[header].fault}")
        if is_named:
            table.set_columns(cells)
            if header:
                table.notes.append(
                    f"the columns are named in line {first[header].line}, what stands above is passed over"
                )
        else:
            table.set_columns([f"column_{n}" for n in range(1, len(cells) + 1)])
            table.notes.append("no line names the columns, which are numbered")
        _put(table, first[header + is_named :], records)


def _put(table: Table, first: list["_Record"], records: Iterator["_Record"]) -> None:
    count, sure = len(table.columns), SURE_AFTER  # full rows since the last broken one
    for record in chain(first, records):
        cells = record.cells
        is_full = len(cells) == count
        if record.is_broken:
            sure = 0
        elif sure < SURE_AFTER:
            sure = sure + 1 if is_full else 0
        if record.fault:
            table.add_fault(record.line, record.fault, record.raw())
        elif cells and sure < SURE_AFTER and not is_full:
            # a line after a broken row may be the rest of its text rather than an item
            table.add_fault(record.line, "follows a broken row, and has not one cell for each column", record.raw())
        elif len(cells) > count and any(map(str.strip, cells[count:])):
            reason = f"{len(cells)} cells, but the header has {count} columns"
            table.add_fault(record.line, reason, record.raw())
        elif cells:
            if record.has_formula:
                cells = [match[1] if (match := _QUOTED_FORMULA.fullmatch(cell)) else cell for cell in cells]
            table.add_cells(record.line, cells[:count] if len(cells) > count else cells, record.note)


class _Record(NamedTuple):
    """One row: its cells, or its fault; `is_broken` if its end could not be determined."""

    line: int
    cells: list[str]
    fault: str
    is_broken: bool
    lines: list[str]
    note: str = ""

    @property
    def has_formula(self) -> bool:
        """Whether a cell may be written as ="007"."""
        return '="' in self.lines[0] or (len(self.lines) > 1 and any('="' in line for line in self.lines))

    def raw(self) -> str:
        return "".join(self.lines[:20]).rstrip("\r\n")


class _RowTooLarge(Exception):  # noqa: N818  (never leaves this module)
    pass


class _Lines:
    """The physical lines of a file for the csv reader; those of the current record are kept, to read them again."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        self.number = 0
        self.record: list[str] = []
        self._chars = 0
        self.ended_inside = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read()
        if not line:
            self.ended_inside = bool(self.record)
            raise StopIteration
        self.number += 1
        self.record.append(line)
        self._chars += len(line)
        if self._chars > MAX_ROW_CHARS:
            raise _RowTooLarge
        return line

    def begin_record(self) -> None:
        self.record, self._chars, self.ended_inside = [], 0, False

    def go_back(self) -> None:
        """Returns all lines of the record but its first to the input, to be read as rows."""
        self._waiting.extendleft(reversed(self.record[1:]))
        self.number -= len(self.record) - 1
        del self.record[1:]

    def _read(self) -> str:
        line = self._stream.readline(MAX_ROW_CHARS + 1)
        if len(line) > MAX_ROW_CHARS and not line.endswith(("\n", "\r")):
            while (rest := self._stream.readline(MAX_ROW_CHARS)) and not rest.endswith(("\n", "\r")):
                pass
        return line


class _Records:
    """Iterates over the rows of a file. A row that does not end, such as by an open quote, costs no other rows.

    `page` is the code page of rows whose bytes are not of the file's encoding, and were read as surrogates.
    """

    def __init__(self, stream: TextIO, delimiter: str, page: str) -> None:
        # the module's own limit of 131,072 characters a cell is process-wide; ours is per row and stricter on memory
        csv.field_size_limit(MAX_ROW_CHARS + 1)
        self._lines = _Lines(stream)
        self._delimiter = delimiter
        self._page = page

    def __iter__(self) -> Iterator[_Record]:
        lines = self._lines
        reader = csv.reader(lines, delimiter=self._delimiter)
        while True:
            line = lines.number + 1
            lines.begin_record()
            cells, fault, note = [], "", ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _RowTooLarge:
                fault = f"more than {MAX_ROW_CHARS:,} characters, or a quote that is never closed"
            except csv.Error as error:
                fault = f"is not CSV ({error})"
            if lines.ended_inside:
                fault = "a quote is opened and never closed"
            if fault:
                lines.go_back()
                reader = csv.reader(lines, delimiter=self._delimiter)
            text = lines.record[0] if len(lines.record) == 1 else "".join(lines.record)
            if "\0" in text:
                yield _Record(line, cells, fault or "holds a NUL byte", bool(fault), lines.record)
                continue
            if not text.isascii() and self._page and not _is_utf8(text):
                cells = [_in_page(cell, self._page) for cell in cells]
                note = f"is not UTF-8, and was read as {self._page}"
            yield _Record(line, cells, fault, bool(fault), lines.record, note)


def _is_utf8(line: str) -> bool:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _in_page(cell: str, page: str) -> str:
    """The cell, its undecoded bytes read in a code page; good UTF-8 beside them stays."""
    return _UNDECODED.sub(lambda found: found[0].encode("utf-8", "surrogateescape").decode(page, "replace"), cell)


_UNDECODED = re.compile("[\udc80-\udcff]+")
