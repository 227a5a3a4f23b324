"""Dates and times as instants, against the datetime module."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.catalogue.instants import DAY_S, format_instant, instant_of, period_of

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# farther from 1970 a double in seconds no longer tells one microsecond from the next
TIMES = st.datetimes(datetime(1750, 1, 1), datetime(2190, 1, 1), timezones=st.none() | ZONES)


@given(TIMES, TIMES)
def test_instants_order_times_as_they_happened(one: datetime, other: datetime) -> None:
    first, second = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (one, other))
    seconds, later = instant_of(one.isoformat()), instant_of(other.isoformat())
    assert (seconds < later) == (first < second) and (seconds == later) == (first == second)
    assert datetime.fromisoformat(format_instant(seconds)).replace(tzinfo=UTC) == first
    assert instant_of(format_instant(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-31", "2026-01-31"),
        ("2026-06-10T10:00:00+02:00", "2026-06-10T08:00:00Z"),
        ("2026-06-10 10:00 +0200", "2026-06-10T08:00:00Z"),
        ("2026-06-10T02:00+02", "2026-06-10"),
        ("2026-06-10T10:00:00.25", "2026-06-10T10:00:00.250000Z"),
        ("0001-01-01T00:00+14:00", "0001-01-01"),
    ],
)
def test_instants_are_written_in_utc(text: str, iso: str) -> None:
    assert format_instant(instant_of(text)) == iso


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-13-01", "2026-06-10T25:00:00Z", "2026", "20260131", "soon", "", "7"]
)
def test_what_is_no_date_has_no_instant(text: str) -> None:
    assert instant_of(text) is None and period_of(text) is None


def test_a_day_lasts_24_hours_in_the_zone_that_it_names() -> None:
    start = instant_of("2026-03-31T22:00:00Z")
    assert period_of("2026-04-01+02:00") == (start, start + DAY_S)
    assert period_of("2026-04-01") == period_of("2026-04-01Z") == (start + 7200, start + 7200 + DAY_S)
    assert period_of("2026-04-01T00:00") == (start + 7200, start + 7200)
