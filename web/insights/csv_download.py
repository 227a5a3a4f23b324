"""Writes rows as a CSV download in which no cell is a spreadsheet formula."""

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_answer(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The download `name`.csv; text that a spreadsheet would read as a formula is prefixed with an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    answer = Response(written.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _harmless(cell: object) -> object:
    """The cell, prefixed with an apostrophe if it is text that begins like a formula (OWASP, CSV injection)."""
    if isinstance(cell, str) and (cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA)):
        return f"'{cell}"
    return "" if cell is None else cell
