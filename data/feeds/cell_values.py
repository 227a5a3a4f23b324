"""Decides per column how its cells are written (numbers, dates, lists, yes and no), and reads them so.

A cell that is not written as its column stays as it came: it costs nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from html import unescape

from magpie.data.catalogue.items import MAX_NUMBER, Value
from magpie.data.feeds.nested_values import EXACT_INT, flatten, parse_cell
from magpie.data.feeds.yes_and_no import NO, YES

NEARLY_ALL = 0.8  # the share of a column's cells that decides, as for the kinds of attributes
MAX_LIST = 100
Read = Callable[[str], Value | None]

_COMMA_NUMBER = re.compile(r"-?\d{1,3}((\.\d{3})+|\d*)(,\d+)?")
_GROUPED = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_DATE = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T](\d{1,2}:\d\d(?::\d\d)?)(?: ?([AP]M))?)?", re.IGNORECASE
)
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})")
_MONTHS = ("%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y", "%d. %B %Y", "%d-%b-%Y", "%d-%b-%y", "%B %d %Y")
_TAGS = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
_INLINE = re.compile(
    r"</?(a|abbr|b|big|code|em|font|i|mark|s|small|span|strong|sub|sup|u)\b[^<>]{0,2000}>", re.IGNORECASE
)
_BREAKS = re.compile(r"<\s*(br|/p|/li|/div|/h\d|/tr)\b[^>]*>", re.IGNORECASE)
_HIDDEN_HTML = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
CUT_NUMBER = re.compile(r"\d[.,]\d+E\+\d\d", re.IGNORECASE)
SIZE_AS_DATE = re.compile(
    r"\d{1,2}[-.](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez|mrz)[a-z]*", re.IGNORECASE
)


@dataclass(frozen=True)
class Way:
    """How the cells of a column are written: `read` gives a cell's value, None for an empty one."""

    name: str
    read: Read | None  # None: a cell is its text
    doubt: str = ""


AS_TEXT = Way("text", None)


def find_way(
    texts: Sequence[str], has_comma_decimals: bool = False, month_first: bool = False, may_list: bool = True
) -> Way:
    """How a column with these texts, none of them empty, is written.

    `has_comma_decimals` and `month_first` say what other columns of the feed use, where this one leaves it open;
    `may_list` whether a comma can separate values, which it cannot in names such as "Blake, Robert".
    """
    if not texts:
        return AS_TEXT
    for find in (_nested, _dates, _booleans, _markup):
        if way := find(texts, month_first):
            return way
    return _numbers(texts, has_comma_decimals) or _lists(texts, may_list) or AS_TEXT


def strip_html(text: str) -> str:
    """The text of HTML, its paragraphs on lines of their own; other text as it is."""
    if "<" in text:
        text = _TAGS.sub(" ", _INLINE.sub("", _BREAKS.sub("\n", _HIDDEN_HTML.sub(" ", text))))
    if "&" in text:
        text = unescape(text)
    if "\\n" in text:
        text = text.replace("\\r", "").replace("\\n", "\n")
    lines = (" ".join(line.split()) for line in text.replace("\xa0", " ").splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def is_html(text: str) -> bool:
    """Whether the text has marks of HTML."""
    return "<" in text and bool(_TAGS.search(text))


def split_list(text: str, separators: str = "|;,\n") -> list[str]:
    """The parts of a list in one cell, by the first of the separators that it holds; none empty or repeated."""
    for separator in separators:
        if separator in text:
            return list(dict.fromkeys(part for piece in text.split(separator) if (part := piece.strip())))
    return [text.strip()] if text.strip() else []


def _share(texts: Sequence[str], test: Callable[[str], object]) -> float:
    return sum(bool(test(text)) for text in texts) / len(texts)


def _nested(texts: Sequence[str], _: bool) -> Way | None:
    if _share(texts, lambda text: text[0] in "[{" and text[-1] in "]}") < NEARLY_ALL:
        return None
    if _share(texts[:50], lambda text: parse_cell(text) is not None) < NEARLY_ALL:
        return None
    return Way("nested", None)


def read_nested(name: str, text: str) -> dict[str, object] | None:
    """The columns that a cell with JSON stands for, None where it holds none."""
    found = parse_cell(text)
    if found is None:
        return None
    if isinstance(found, dict) and len(found) == 1 and isinstance(next(iter(found.values())), list | dict):
        found = next(iter(found.values()))
    return flatten({name: found})


def _dates(texts: Sequence[str], month_first: bool) -> Way | None:
    matches = [match for text in texts if (match := _DATE.fullmatch(text))]
    if len(matches) >= NEARLY_ALL * len(texts):
        clear = Counter(
            "day" if int(match[1]) > 12 else "month"
            for match in matches
            if (int(match[1]) > 12) != (int(match[3]) > 12)
        )
        if clear:
            is_month_first = clear["month"] > clear["day"]
            doubt = ""
        else:
            is_month_first = month_first and matches[0][2] == "/"
            shown = "month/day" if is_month_first else "day/month"
            doubt = "" if matches[0][2] == "." else f"dates such as {texts[0]} are read as {shown}"
        way = "dates, month first" if is_month_first else "dates, day first"
        return Way(way, lambda text: _date(text, is_month_first), doubt)
    if _share(texts, _YEAR_FIRST.fullmatch) >= NEARLY_ALL:
        return Way("dates", lambda text: _from_parts(text, _YEAR_FIRST.fullmatch(text), (1, 2, 3)))
    if 6 <= len(texts[0]) <= 40 and texts[0][-1].isdigit() and _share(texts[:50], _written_date) >= NEARLY_ALL:
        return Way("dates", lambda text: _written_date(text) or text)
    return None


def has_month_first(texts: Sequence[str]) -> bool | None:
    """Whether the dates among the texts begin with the month; None where none says so."""
    way = _dates(texts, False) if texts else None
    return None if way is None or way.doubt or "first" not in way.name else "month" in way.name


def _date(text: str, month_first: bool) -> str:
    match = _DATE.fullmatch(text)
    order = (4, 1, 3) if month_first else (4, 3, 1)
    found = _from_parts(text, match, order)
    if match is None or not match[5] or found == text:
        return found
    try:
        clock = (
            datetime.strptime(
                f"{match[5]} {match[6]}".upper(), "%I:%M:%S %p" if match[5].count(":") == 2 else "%I:%M %p"
            )
            if match[6]
            else None
        )
    except ValueError:
        return text
    time = clock.strftime("%H:%M:%S") if clock else match[5].zfill(5 if match[5].count(":") == 1 else 8)
    return f"{found}T{time}"


def _from_parts(text: str, match: "re.Match[str] | None", order: tuple[int, int, int]) -> str:
    """The date in ISO 8601; the text where there is no such day."""
    if match is None:
        return text
    year, month, day = (int(match[n]) for n in order)
    year += 0 if year > 99 else 1900 if year > 68 else 2000  # as POSIX reads two digits
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return text


def _written_date(text: str) -> str | None:
    for written in _MONTHS:
        try:
            return datetime.strptime(text, written).date().isoformat()
        except ValueError:
            continue
    if text[:3] in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
        try:
            return parsedate_to_datetime(text).isoformat()
        except (ValueError, TypeError):
            return None
    return None


def _booleans(texts: Sequence[str], _: bool) -> Way | None:
    values = {text.casefold() for text in texts}
    usual = {"true", "false", "yes", "no"}
    if values <= YES | NO and not values <= usual and values & YES and values & NO:
        return Way(
            "yes or no", lambda text: True if text.casefold() in YES else False if text.casefold() in NO else text
        )
    return None


def _markup(texts: Sequence[str], _: bool) -> Way | None:
    return Way("HTML", lambda text: strip_html(text) or None) if _share(texts, is_html) > 0.2 else None


def _numbers(texts: Sequence[str], has_comma_decimals: bool) -> Way | None:
    """Numbers with commas: decimal ones as in "2,75", or groups as in "4,780,653"; others need no reading."""
    with_comma = [text for text in texts if "," in text]
    if not with_comma:
        return None
    if _share(texts, lambda text: _GROUPED.fullmatch(text) or text.isdecimal()) >= NEARLY_ALL:
        ones = all(text.count(",") == 1 and "." not in text for text in with_comma)
        if not (ones and has_comma_decimals):
            return Way("numbers", lambda text: _as_number(text.replace(",", "")) if _GROUPED.fullmatch(text) else text)
    all_of_sizes = all(re.fullmatch(r"\d{2},\d{2}", text) for text in with_comma)
    if _share(texts, _COMMA_NUMBER.fullmatch) >= NEARLY_ALL and (has_comma_decimals or not all_of_sizes):
        return Way("numbers with decimal commas", _comma_number)
    return None


def _comma_number(text: str) -> Value:
    return _as_number(text.replace(".", "").replace(",", ".")) if _COMMA_NUMBER.fullmatch(text) else text


def _as_number(text: str) -> Value:
    number = float(text)
    if not -MAX_NUMBER <= number <= MAX_NUMBER:
        return text
    return int(text) if "." not in text and abs(number) < EXACT_INT else number


def _lists(texts: Sequence[str], may_list: bool) -> Way | None:
    """Short words joined by a semicolon, a bar or a comma, many of which come again in other cells."""
    for separator in ("|", ";", ",") if may_list else ("|", ";"):
        cells = [text for text in texts if separator in text]
        if len(cells) < 0.1 * len(texts) or len(cells) < 2:
            continue
        parts = [part.strip() for text in texts for part in text.split(separator)]
        usual = [part for part in parts if 0 < len(part) <= 40 and part.count(" ") <= 3]
        counted = Counter(usual)
        again = sum(number for number in counted.values() if number > 1)
        if len(usual) < 0.95 * len(parts) or (separator == "," and again < 0.5 * len(parts)):
            continue
        if separator == "," and any(re.search(r"\d,\d", text) for text in texts):
            continue
        name = {"|": "list by bars", ";": "list by semicolons", ",": "list by commas"}[separator]
        return Way(name, partial(_split, separator=separator))
    return None


def _split(text: str, separator: str) -> Value:
    return split_list(text, separator)[:MAX_LIST] if separator in text else text
