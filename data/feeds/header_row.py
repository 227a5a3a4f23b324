"""Finds the delimiter and the header row of a table, below titles, comments and empty rows."""

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence

from magpie.data.feeds.column_names import known_field

LOOKED_AT = 60  # rows
_DELIMITERS = ",;\t|"
_VALUE = re.compile(
    r"[-+]?[\d.,\s]*\d[\d.,\s]*|https?://\S+|[\w./\\-]+\.(jpe?g|png|webp|gif)|\d{4}-\d\d-\d\d.*", re.IGNORECASE
)
_NOTE = re.compile(r"#\s*\w+.*[|:]|#\s?\w+(\s+\w+){3,}")  # "# Required | The name", "# exported by …"


def find_delimiter(lines: Sequence[str]) -> str:
    """The cell delimiter of a table that begins with these lines: most rows have equally many cells, and many."""
    best, found = 0.0, ","
    for delimiter in _DELIMITERS:
        rows = [row for row in _parsed(lines, delimiter) if any(cell.strip() for cell in row)]
        if not rows:
            continue
        widths = Counter(len(row) for row in rows)
        width, number = max(widths.items(), key=lambda pair: (pair[1] * math.log(pair[0] + 1), pair[0]))
        header = find_header(rows)[0]
        is_like_header = len(rows[header]) == width if header is not None else False
        # a delimiter that stands within quotes leaves them in pieces
        broken = sum(any(cell.count('"') % 2 for cell in row) for row in rows) / len(rows)
        quality = math.log(width) * (number / len(rows)) * (1.0 if is_like_header else 0.6) * (1 - broken)
        if quality > best:
            best, found = quality, delimiter
    return found


def find_header(rows: Sequence[Sequence[object]]) -> tuple[int | None, bool]:
    """(index of the row that names the columns, whether there is one); (index of the first row, False) where the
    table begins with its data, (None, False) where it is empty.

    It is the row that names most fields by known names, else the first that is as wide as those below it.
    """
    texts = [[str(cell).strip() if cell is not None else "" for cell in row] for row in rows[:LOOKED_AT]]
    widths = [sum(bool(cell) for cell in row) for row in texts]
    filled = [n for n, width in enumerate(widths) if width]
    if not filled:
        return None, False
    usual = _usual_width([widths[n] for n in filled])
    wide = [n for n in filled if 2 * widths[n] >= usual and not _is_note(texts[n])] or filled[:1]
    known = {n: len({field for cell in texts[n] if (field := known_field(cell))}) for n in wide}
    best = max(wide, key=lambda n: (known[n], -n))
    first = wide[0]
    # data below may hold a known name or two ("Title" as the name of an option)
    if known[best] >= 2 and known[best] > known[first]:
        return best, True
    is_data = not known[first] and any(_VALUE.fullmatch(cell) for cell in texts[first] if cell)
    return first, not (is_data and len(texts) > first + 1 and _is_like(texts[first], texts[first + 1]))


def _is_note(row: Sequence[str]) -> bool:
    first = next((cell for cell in row if cell), "")
    return bool(_NOTE.match(first))


def _usual_width(widths: Sequence[int]) -> int:
    counted = Counter(widths)
    return max(counted, key=lambda width: (counted[width] * math.log(width + 1), width))


def _is_like(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two rows hold values of the same sort in every place."""
    pairs = [(a, b) for a, b in zip(first, second, strict=False) if a and b]
    return bool(pairs) and all(bool(_VALUE.fullmatch(a)) == bool(_VALUE.fullmatch(b)) for a, b in pairs)


def _parsed(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(lines, delimiter=delimiter)
    while len(rows) < LOOKED_AT:
        try:
            rows.append(next(reader))
        except StopIteration:
            break
        except csv.Error:
            continue
    return rows
