"""The pool of threads: everything is done once, the warmest thread first, and nothing is kept alive."""

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for

import pytest

from magpie.search.thread_pool import ThreadPool


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    opened = ThreadPool("test", 3)
    yield opened
    opened.shutdown()


def test_all_that_is_submitted_is_done_once(pool: ThreadPool) -> None:
    done: list[int] = []
    futures = [pool.submit(done.append, number) for number in range(2_000)]
    wait_for(futures, timeout=30)
    assert sorted(done) == list(range(2_000))
    assert [thread.name for thread in pool._threads] == ["test-0", "test-1", "test-2"][: len(pool._threads)]


def test_work_after_work_goes_to_the_same_thread(pool: ThreadPool) -> None:
    barrier = threading.Barrier(4)
    futures = [pool.submit(barrier.wait, 30) for _ in range(3)]
    barrier.wait(30)
    wait_for(futures, timeout=30)
    assert len({pool.submit(threading.get_ident).result(30) for _ in range(200)}) == 1


def test_as_many_run_at_once_as_there_are_threads(pool: ThreadPool) -> None:
    barrier = threading.Barrier(3)
    assert sorted(f.result(30) for f in [pool.submit(barrier.wait, 30) for _ in range(3)]) == [0, 1, 2]


def test_work_submitted_when_another_is_done_finds_a_free_thread() -> None:
    pool, done = ThreadPool("test", 1), threading.Event()
    pool.submit(int).add_done_callback(lambda _: pool.submit(done.set))
    assert done.wait(30)
    pool.shutdown()


def test_what_fails_fails_for_who_waits_for_it(pool: ThreadPool) -> None:
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(30)
    with pytest.raises(SystemExit):
        pool.submit(exit).result(30)
    assert pool.submit(divmod, 7, 2).result(30) == (3, 1)


def test_shutdown_waits_for_what_was_submitted_and_takes_no_more() -> None:
    pool = ThreadPool("test", 1)
    futures = [pool.submit(pow, 2, number) for number in range(50)]
    pool.shutdown()
    assert [future.result(0) for future in futures] == [2**number for number in range(50)]
    assert not any(thread.is_alive() for thread in pool._threads)
    with pytest.raises(RuntimeError, match="test"):
        pool.submit(int)


def test_shutdown_can_cancel_what_has_not_begun() -> None:
    pool, begun, go = ThreadPool("test", 1), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return go.wait(30)

    first, second, third = pool.submit(work), pool.submit(int), pool.submit(int)
    assert begun.wait(30) and third.cancel()
    pool.shutdown(wait=False, cancel_futures=True)
    go.set()
    pool.shutdown()
    assert first.result(30) and third.cancelled()
    with pytest.raises(CancelledError):
        second.result(30)


def test_a_sleeping_thread_keeps_nothing_alive(pool: ThreadPool) -> None:
    class Thing:
        pass

    thing, held = Thing(), Future[None]()
    gone = weakref.ref(thing)
    pool.submit(lambda given: given, thing).add_done_callback(lambda _: held.set_result(None))
    held.result(30)
    pool.submit(int).result(30)
    del thing
    gc.collect()
    assert gone() is None
