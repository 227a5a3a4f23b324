"""When a background job becomes an alarm: failing for too long, or never coming to its end."""

import pytest

from magpie.data.errors import DatabaseBusy
from magpie.web.background.job_health import JobHealth


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def fail(health: JobHealth, error: Exception) -> None:
    with pytest.raises(type(error)), health.attempt():
        raise error


def test_a_job_that_goes_on_failing_is_an_alarm_until_it_succeeds() -> None:
    clock = Clock()
    health = JobHealth("Washing", patience_s=10, clock=clock)
    fail(health, DatabaseBusy("no water"))
    assert health.alarms == []
    clock.now_s += 9.9
    fail(health, DatabaseBusy("no water"))
    assert health.alarms == []
    clock.now_s += 0.1
    assert health.alarms == ["Washing has failed for 10 s: no water"]
    fail(health, ValueError("what somebody searched"))
    assert health.alarms == ["Washing has failed for 10 s: ValueError"]
    with health.attempt():
        pass
    assert health.alarms == []


def test_a_job_that_does_not_come_to_its_end_is_an_alarm() -> None:
    clock = Clock()
    health = JobHealth("Washing", patience_s=10, longest_s=60, clock=clock)
    with health.attempt():
        clock.now_s += 60
        assert health.alarms == []
        clock.now_s += 1
        assert health.alarms == ["Washing has not come to its end for 61 s"]
    clock.now_s += 1000
    assert health.alarms == []
