"""Reads dates and times in ISO 8601 as instants, and writes instants; what names no zone is in UTC."""

import re
from datetime import UTC, date, datetime, timedelta

_ZONE = r"(?:Z|[+-]\d\d(?::?\d\d)?)"
_DAY = re.compile(rf"(\d{{4}}-\d\d-\d\d)({_ZONE})?", re.ASCII)
_DATE = re.compile(rf"\d{{4}}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{{1,6}})?)?(?: ?{_ZONE})?)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()
_LAST_S = (datetime(9999, 12, 31, 23, 59, 59, 999_900, tzinfo=UTC) - _EPOCH).total_seconds()  # as floats hold it
DAY_S = 86_400.0


def iso_date(text: str) -> str | None:
    """The date or time in its canonical ISO form, with the zone that it came with; None for anything else."""
    if not _DATE.fullmatch(text):
        return None
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text).isoformat()
        return datetime.fromisoformat(text[:10] + "T" + text[11:].replace(" ", "")).isoformat()
    except ValueError:
        return None


def instant_of(text: str) -> float | None:
    """Seconds since 1970 of a date (its first moment) or time; None for anything else.

    A time that its zone moves out of the years 1 to 9999 counts as the first or last moment of them.
    """
    iso = iso_date(text)
    return None if iso is None else _seconds(iso)


def period_of(text: str) -> tuple[float, float] | None:
    """The first moment of what a bound names, in seconds since 1970, and the first moment after it: a day, which may
    name a zone (`2026-01-31+02:00`), lasts 24 hours, and a time is a moment without length. None for anything else."""
    day = _DAY.fullmatch(text)
    if day is None:
        instant = instant_of(text)
        return None if instant is None else (instant, instant)
    try:
        start = _seconds(f"{day[1]}T00:00{day[2] or ''}")
    except ValueError:
        return None
    return start, start + DAY_S


def format_instant(seconds: float) -> str:
    """A day where the instant is a midnight in UTC, else the time in UTC: "2026-01-31", "2026-01-31T10:00:00Z".

    An instant outside the years 1 to 9999 is written as the first or the last moment of them.
    """
    moment = _EPOCH + timedelta(seconds=round(min(max(seconds, _FIRST_S), _LAST_S), 6))
    iso = moment.replace(tzinfo=None).isoformat()
    return iso.removesuffix("T00:00:00") if iso.endswith("T00:00:00") else iso + "Z"


def _seconds(iso: str) -> float:
    """Seconds since 1970. Raises ValueError."""
    moment = datetime.fromisoformat(iso)
    seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH).total_seconds()
    return min(max(seconds, _FIRST_S), _LAST_S)
