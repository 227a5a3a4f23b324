"""Tests that the thread that became idle last is woken first."""

import threading
import time

from magpie.web.server.latest_idle import LatestIdle


def test_the_latest_idle_thread_is_woken_first() -> None:
    lock, woken = threading.Lock(), []
    condition = LatestIdle(lock)

    def idle(name: int) -> None:
        with lock:
            condition.wait()
            woken.append(name)

    threads = [threading.Thread(target=idle, args=(name,)) for name in range(3)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        while len(condition._idle) < number:
            time.sleep(0.001)
    for number in range(1, 4):
        with lock:
            condition.notify()
        while len(woken) < number:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert woken == [2, 1, 0]


def test_all_are_woken_and_nobody_is_woken_for_nothing() -> None:
    lock = threading.Lock()
    condition = LatestIdle(lock)

    def idle() -> None:
        with lock:
            condition.wait()

    with lock:
        condition.notify()  # nobody waits: not remembered, as with threading.Condition
    threads = [threading.Thread(target=idle) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(condition._idle) < 3:
        time.sleep(0.001)
    with lock:
        condition.notify_all()
    for thread in threads:
        thread.join()
    assert not condition._idle
