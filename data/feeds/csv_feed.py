"""Reads CSV and TSV feeds as drafts; a broken row is rejected without loss of other rows."""

import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed, BadItem
from magpie.data.feeds.column_mapping import Columns, assign_columns
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.row_to_draft import DraftMaker, Reject, reject

MAX_ROW_CHARS = 2_000_000
SURE_AFTER = 3  # consecutive full rows after a broken one before short rows are accepted again
_DELIMITERS = ",;\t|"
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_cells(path: Path, mapping: Mapping[str, str], position: FeedPosition) -> Iterator[ItemDraft | Reject]:
    """The drafts and rejections of a .csv or .tsv file, in order. Raises BadFeed where it has no usable header."""
    with path.open("rb") as raw:
        encoding = _encoding(raw.peek(4)[:4])
        errors = "replace" if encoding == "utf-16" else "surrogateescape"
        with io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="") as stream:
            position.follow(path.stat().st_size, raw.tell)
            records = iter(_Records(stream, _delimiter(path, encoding), errors))
            header = next((record for record in records if record.cells or record.fault), None)
            if header is None:
                raise BadFeed(f"{path}: is empty; the first line must name the columns, 'id' among them")
            if header.fault:
                raise BadFeed(f"{path}: line {header.line}, the header: {header.fault}; save the file as UTF-8 CSV")
            columns = assign_columns(header.cells, mapping, str(path))
            yield from _drafts(records, columns)


def _drafts(records: Iterator["_Record"], columns: Columns) -> Iterator[ItemDraft | Reject]:
    maker = DraftMaker()
    sure = SURE_AFTER  # full rows since the last broken one
    for record in records:
        is_full = len(record.cells) == columns.count
        if record.is_broken:
            sure = 0
        elif sure < SURE_AFTER:
            sure = sure + 1 if is_full else 0
        try:
            if record.fault:
                raise BadItem(record.fault)
            if record.cells and sure < SURE_AFTER and not is_full:
                # a line after a broken row may be the rest of its text rather than an item
                raise BadItem("follows a broken row, and has not one cell for each column")
            if record.cells:
                yield maker.from_cells(record.cells, columns, record.line)
        except BadItem as error:
            yield reject(record.line, str(error), record.raw())


@dataclass(frozen=True)
class _Record:
    """One row: its cells, or its fault; `is_broken` if its end could not be determined."""

    line: int
    cells: list[str]
    fault: str
    is_broken: bool
    lines: list[str]

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
    """Iterates over the rows of a file. A row that does not end, such as by an open quote, costs no other rows."""

    def __init__(self, stream: TextIO, delimiter: str, errors: str) -> None:
        # the module's own limit of 131,072 characters a cell is process-wide; ours is per row and stricter on memory
        csv.field_size_limit(MAX_ROW_CHARS + 1)
        self._lines = _Lines(stream)
        self._delimiter = delimiter
        self._replaces = errors == "replace"

    def __iter__(self) -> Iterator[_Record]:
        lines = self._lines
        reader = csv.reader(lines, delimiter=self._delimiter)
        while True:
            line = lines.number + 1
            lines.begin_record()
            cells, fault = [], ""
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
            text_fault = fault or _text_fault(lines.record, self._replaces)
            yield _Record(line, cells, text_fault, bool(fault), lines.record)


def _text_fault(lines: list[str], replaces: bool) -> str:
    """Why the row is no valid text, "" where it is; with `replaces`, wrong bytes were read as U+FFFD, else as
    surrogates."""
    for line in lines:
        if "\0" in line:
            return "holds a NUL byte"
        if not line.isascii() and (("\ufffd" in line) if replaces else not _is_utf8(line)):
            return "is not UTF-16" if replaces else "is not UTF-8"
    return ""


def _is_utf8(line: str) -> bool:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _encoding(start: bytes) -> str:
    return next((encoding for bom, encoding in _BOMS.items() if start.startswith(bom)), "utf-8")


def _delimiter(path: Path, encoding: str) -> str:
    """The cell delimiter: a tab in a .tsv file, else the one that gives the header the most columns."""
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    with path.open(encoding=encoding, errors="replace", newline="") as head:
        header = next((line for line in iter(lambda: head.readline(MAX_ROW_CHARS), "") if line.strip()), "")
    counts = {delimiter: len(next(csv.reader([header], delimiter=delimiter), [])) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])
