"""Reads workbooks (.xlsx, .ods) into the table: the sheet whose first rows name the most fields, row by row."""

import zipfile
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO, Any

from lxml import etree

from magpie.data.errors import BadFeed
from magpie.data.feeds.column_names import known_field
from magpie.data.feeds.header_row import LOOKED_AT, find_header
from magpie.data.feeds.nested_values import plain
from magpie.data.feeds.open_source import ALWAYS_ALLOWED, MOST_GROWTH, OpenFeed
from magpie.data.feeds.table import MAX_COLUMNS, Table
from magpie.data.feeds.zip_archive import DAMAGED

MAX_REPEATS = 1_000  # of one row, as a file may say in a word
MAX_EMPTY_ROWS = 10_000  # then the sheet is at its end
_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
Rows = Iterator[tuple[int, list[object]]]


def read_workbook(feed: OpenFeed, table: Table) -> None:
    """Puts the rows of a workbook into the table; lines are the sheet's rows. Raises BadFeed."""
    stream = feed.seekable()
    try:
        with zipfile.ZipFile(stream) as archive:
            _refuse_bomb(archive, feed.name)
            is_open_document = "content.xml" in archive.namelist()
        stream.seek(0)
        if is_open_document:
            _read_open_document(stream, feed.name, table)
        else:
            _read_excel(stream, feed.name, table)
    except (*DAMAGED, etree.XMLSyntaxError) as error:
        raise BadFeed(f"{feed.name}: is no whole workbook ({error}); save it anew") from error


def _read_excel(stream: IO[bytes], name: str, table: Table) -> None:
    from openpyxl import load_workbook

    try:
        book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        for sheet in sheets.values():
            sheet.reset_dimensions()  # what a file says of its size need not be true
        starts = {title: list(islice(_excel_rows(sheet), LOOKED_AT)) for title, sheet in sheets.items()}
        chosen = _choose(starts, name, table)
        _put(_excel_rows(sheets[chosen]), name, table)
        book.close()
    except BadFeed:
        raise
    except Exception as error:  # a damaged workbook raises whatever its XML leads to
        raise BadFeed(
            f"{name}: is no whole workbook ({type(error).__name__}: {str(error)[:200]}); save it anew"
        ) from error


def _excel_rows(sheet: Any) -> Rows:
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        yield number, _trimmed([_cell(value) for value in row[:MAX_COLUMNS]])


def _cell(value: object) -> object:
    if isinstance(value, str):
        return "" if value in _ERRORS else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return plain(value)


def _choose(starts: dict[str, list[tuple[int, list[object]]]], name: str, table: Table) -> str:
    """The title of the sheet that names the most fields, or else has the most rows at its beginning."""
    if not starts:
        raise BadFeed(f"{name}: holds no sheet")

    def quality(title: str) -> tuple[int, int]:
        rows = [row for _, row in starts[title]]
        header, _ = find_header(rows)
        known = {known_field(str(cell)) for cell in rows[header] if cell} if header is not None else set()
        return len(known - {None}), sum(bool(row) for row in rows)

    chosen = max(starts, key=quality)
    if len([title for title, rows in starts.items() if any(row for _, row in rows)]) > 1:
        table.notes.append(f"sheet {chosen!r} is read; the others are not")
    return chosen


def _put(rows: Rows, name: str, table: Table) -> None:
    first = list(islice(rows, LOOKED_AT))
    header, is_named = find_header([row for _, row in first])
    if header is None:
        raise BadFeed(f"{name}: is empty; the first row must name the columns")
    cells = ["" if cell is None else str(cell) for cell in first[header][1]]
    table.set_columns(cells if is_named else [""] * len(cells))
    empty = 0
    for line, row in chain(first[header + is_named :], rows):
        if not row:
            empty += 1
            if empty > MAX_EMPTY_ROWS:
                return
            continue
        empty = 0
        if len(row) > len(table.columns):
            table.add_fault(line, f"{len(row)} cells, but the header has {len(table.columns)} columns", str(row))
        else:
            table.add_cells(line, row)


def _trimmed(row: list[object]) -> list[object]:
    while row and row[-1] in (None, ""):
        row.pop()
    return row


def _refuse_bomb(archive: zipfile.ZipFile, name: str) -> None:
    for member in archive.infolist():
        if member.file_size > ALWAYS_ALLOWED and member.file_size > MOST_GROWTH * max(1, member.compress_size):
            raise BadFeed(f"{name}: {member.filename} unpacks to more than {MOST_GROWTH} times its size")


def _read_open_document(stream: IO[bytes], name: str, table: Table) -> None:
    with zipfile.ZipFile(stream) as archive:
        starts: dict[str, list[tuple[int, list[object]]]] = {}
        with archive.open("content.xml") as content:
            for title, line, row in _document_rows(content, ""):
                if len(starts.setdefault(title, [])) < LOOKED_AT:
                    starts[title].append((line, row))
        chosen = _choose(starts, name, table)
        with archive.open("content.xml") as content:
            _put(((line, row) for _, line, row in _document_rows(content, chosen)), name, table)


def _document_rows(content: IO[bytes], only: str) -> Iterator[tuple[str, int, list[object]]]:
    """(sheet, line, cells) of an OpenDocument sheet, or of all sheets."""
    title, line = "", 0
    events = etree.iterparse(
        content, events=("start", "end"), tag=(f"{_TABLE}table", f"{_TABLE}table-row"), resolve_entities=False,
        no_network=True, load_dtd=False, huge_tree=False,
    )  # fmt: skip
    for event, element in events:
        if element.tag == f"{_TABLE}table":
            title, line = (element.get(f"{_TABLE}name", ""), 0) if event == "start" else (title, line)
        elif event == "end":
            repeats = _number(element.get(f"{_TABLE}number-rows-repeated"))
            row = _trimmed(_document_cells(element)) if not only or title == only else []
            for n in range(min(repeats, MAX_REPEATS) if row else 0):
                yield title, line + n + 1, list(row)
            line += repeats
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _document_cells(row: Any) -> list[object]:
    cells: list[object] = []
    for cell in row:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            continue
        repeats = min(_number(cell.get(f"{_TABLE}number-columns-repeated")), MAX_COLUMNS + 1 - len(cells))
        cells += [_document_value(cell)] * repeats
        if len(cells) > MAX_COLUMNS:
            break
    return cells[:MAX_COLUMNS]


def _document_value(cell: Any) -> object:
    kind = cell.get(f"{_OFFICE}value-type")
    if kind in ("float", "percentage", "currency"):
        try:
            number = float(cell.get(f"{_OFFICE}value", "nan"))
        except ValueError:
            return ""
        unit = cell.get(f"{_OFFICE}currency", "")
        shown = _cell(number)
        return f"{shown} {unit}" if unit and shown is not None else shown
    if kind == "date":
        return str(cell.get(f"{_OFFICE}date-value", "")).removesuffix("T00:00:00")
    if kind == "boolean":
        return cell.get(f"{_OFFICE}boolean-value") == "true"
    return "\n".join("".join(part.itertext()) for part in cell.iter(f"{_TEXT}p")).strip()


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 1
