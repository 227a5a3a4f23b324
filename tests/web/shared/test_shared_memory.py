"""What workers share: counters that count, pictures that are kept, texts and connections that all see."""

import multiprocessing
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.web.shared import uploads
from magpie.web.shared.connection_counts import ConnectionCounts
from magpie.web.shared.memory import SharedLock, SharedTexts
from magpie.web.shared.rate_counters import SharedCounters
from magpie.web.shared.state import SharedState
from magpie.web.shared.uploads import KEEP_S, MAX_BYTES, MAX_KEPT, NAME_BYTES, Upload, UploadMemory


def in_processes(number: int, work: Callable[[], None]) -> None:
    """Does this in so many forked processes at once."""
    forked = multiprocessing.get_context("fork")
    processes = [forked.Process(target=work) for _ in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


class Clock:
    """Stands in for the clock of these modules."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def monotonic(self) -> float:
        return self.now


# ---- rate counters ----


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 5))))
def test_counters_count_as_a_dictionary_does(hits: list[tuple[str, int]]) -> None:
    counters, expected = SharedCounters(), dict[str, int]()
    for key, amount in hits:
        expected[key] = expected.get(key, 0) + amount
        assert counters.incr(key, 3600, amount) == expected[key] == counters.get(key)
    counters.clear("a")
    assert counters.get("a") == 0
    assert {key: counters.get(key) for key in expected if key != "a"} == {k: n for k, n in expected.items() if k != "a"}
    assert counters.get("another") == 0


def test_hits_of_all_processes_count() -> None:
    counters = SharedCounters()
    in_processes(4, lambda: [counters.incr("key", 3600) for _ in range(500)] and None)
    assert counters.get("key") == 4 * 500


def test_a_window_that_has_ended_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counters = Clock(), SharedCounters()
    monkeypatch.setattr("magpie.web.shared.rate_counters.time", clock)
    assert [counters.incr("key", 10) for _ in range(3)] == [1, 2, 3]
    assert counters.get_expiry("key") == clock.now + 10
    clock.now += 9
    assert counters.incr("key", 10) == 4
    clock.now += 2
    assert counters.get("key") == 0 and counters.incr("key", 10) == 1


def test_where_there_is_no_room_the_one_with_fewest_hits_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SharedCounters, "BUCKETS", 1)
    counters = SharedCounters()
    for number in range(SharedCounters.WAYS):
        counters.incr(f"key {number}", 3600, 10 - number)
    counters.incr("one more", 3600)
    kept = [counters.get(f"key {number}") for number in range(SharedCounters.WAYS)]
    assert kept == [10, 9, 8, 7, 6, 5, 4, 0] and counters.get("one more") == 1


# ---- uploads ----


def name(number: int) -> str:
    return f"{number:0{NAME_BYTES}}"


def test_the_latest_pictures_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, memory = Clock(), UploadMemory()
    monkeypatch.setattr(uploads, "time", clock)
    for number in range(MAX_KEPT + 3):
        clock.now += 1
        memory.put(name(number), Upload(b"%d" % number * 100, number, 2 * number))
    assert [memory.get(name(number)) for number in range(3)] == [None] * 3
    assert memory.get(name(MAX_KEPT)) == Upload(b"200" * 100, 200, 400)
    clock.now += KEEP_S - 1
    assert memory.get(name(MAX_KEPT + 1)) == Upload(b"201" * 100, 201, 402) or memory.get(name(MAX_KEPT + 2))
    clock.now += 3
    assert memory.get(name(MAX_KEPT + 2)) is None


def test_other_processes_see_a_picture() -> None:
    memory = UploadMemory()
    in_processes(1, lambda: memory.put(name(7), Upload(b"x" * MAX_BYTES, 640, 480)))
    assert memory.get(name(7)) == Upload(b"x" * MAX_BYTES, 640, 480)


@pytest.mark.parametrize("odd", ["", "x", "\0" * NAME_BYTES, "é" * NAME_BYTES, name(1) + "x"])
def test_names_that_nobody_was_given_find_nothing(odd: str) -> None:
    memory = UploadMemory()
    memory.put(name(1), Upload(b"x", 1, 1))
    assert memory.get(odd) is None


# ---- the rest ----


def test_texts_are_read_as_they_were_written_last() -> None:
    texts = SharedTexts()
    assert texts.read() == []
    in_processes(1, lambda: texts.write(["a longer text", "ü"]))
    assert texts.read() == ["a longer text", "ü"]
    texts.write(["short", "x" * SharedTexts.SIZE_BYTES])
    assert texts.read() == ["short"]


def test_the_one_with_fewest_connections_takes_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counts = Clock(), ConnectionCounts(3)
    monkeypatch.setattr("magpie.web.shared.connection_counts.time", clock)
    assert counts.count(0, 5) and counts.counted_at(0) == clock.now and not counts.counted_at(1)
    assert counts.count(1, 4) and not counts.count(0, 5)
    counts.forget(1)
    assert counts.count(0, 5)
    counts.count(2, 1)
    assert not counts.count(0, 5)
    clock.now += ConnectionCounts.SILENT_S + 1
    assert counts.count(0, 5)  # the third has not been heard of


def test_a_lock_ends_with_its_process() -> None:
    lock = SharedLock()

    def hold_and_die() -> None:
        with lock.held():
            import os

            os._exit(0)

    in_processes(1, hold_and_die)
    with lock.held():
        pass


def test_workers_tell_each_other_their_alarms() -> None:
    shared = SharedState.among(3)
    first, second = shared.of_worker(0), shared.of_worker(1)
    first.tell_alarms(["Counting has failed"])
    second.tell_alarms(["Logging has failed"])
    assert (first.alarms_of_others(), second.alarms_of_others()) == (["Logging has failed"], ["Counting has failed"])
    assert shared.of_worker(0).alarms_of_others() == ["Logging has failed"]
    assert second.alarms_of_others() == []  # its successor begins anew
    shared.close()
