"""Picture files → pixels, in worker processes that have so much time and memory; one that crashes costs its picture."""

import os
import resource
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from data.errors import BadPicture, DecodingFailed, TooLarge
from data.pictures import open_views
from indexer.preprocessing import PicturePreprocessing, prepare_picture

_PICTURES_PER_BATCH = 64
_MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class DecodedBatch:
    """Pixels (n, height, width, 3) uint8 of the pictures that decoded, their keys, and why the others did not.

    The frames of a video stand in a row and have the same key.
    """

    keys: list[str]
    pixels: np.ndarray
    failures: dict[str, str]
    decode_s: float


@dataclass(frozen=True)
class DecodeLimits:
    """What one file may cost: seconds of processor, seconds by the clock (longer: the work runs at low priority), and
    bytes of memory of the process."""

    cpu_s: float = 60.0
    clock_s: float = 600.0
    memory_bytes: int = 6_000_000_000


def decode_pictures(
    pictures: Sequence[tuple[str, Path]], wanted: PicturePreprocessing, limits: DecodeLimits | None = None
) -> Iterator[DecodedBatch]:
    """Decoded batches in order, a few ahead of the consumer; decoding runs in as many processes as there are cores.

    A picture that takes its process down (a crash in a codec, an endless loop, a file that never ends) is found by
    decoding alone and reported. Raises DecodingFailed where processes cannot run at all.
    """
    limits = limits or DecodeLimits()
    chunks = deque(_chunks(pictures, _PICTURES_PER_BATCH))
    while chunks:
        pending: deque[tuple[list[tuple[str, Path]], Future[DecodedBatch]]] = deque()
        with _workers(cpu_count(), limits) as pool:
            try:
                while chunks or pending:
                    while chunks and len(pending) < 2 * cpu_count() + 1:
                        chunk = chunks.popleft()
                        pending.append((chunk, pool.submit(_decode_chunk, chunk, wanted, limits)))
                    yield pending[0][1].result()
                    pending.popleft()
            except BrokenProcessPool:
                lost = [picture for chunk, _ in pending for picture in chunk]
                yield from _decode_one_by_one(lost, wanted, limits)


def _decode_one_by_one(
    pictures: Sequence[tuple[str, Path]], wanted: PicturePreprocessing, limits: DecodeLimits
) -> Iterator[DecodedBatch]:
    """Finds the pictures that take their process down."""
    waiting = deque(pictures)
    while waiting:
        with _workers(1, limits) as pool:
            _check_that_it_runs(pool)
            try:
                while waiting:
                    yield pool.submit(_decode_chunk, [waiting[0]], wanted, limits).result()
                    waiting.popleft()
            except BrokenProcessPool:
                key, _ = waiting.popleft()
                reason = "its decoder crashed, or was ended because it took too long"
                yield DecodedBatch([], _no_pixels(wanted), {key: reason}, 0.0)


def _workers(count: int, limits: DecodeLimits) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_limit_memory, initargs=(limits.memory_bytes,)
    )


def _limit_memory(size_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = size_bytes if hard == resource.RLIM_INFINITY else min(size_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _check_that_it_runs(pool: ProcessPoolExecutor) -> None:
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise DecodingFailed(
            "The processes that decode pictures end at once. Is there memory left? A script of your own "
            "must start its work under `if __name__ == '__main__':`."
        ) from error


def _decode_chunk(pictures: list[tuple[str, Path]], wanted: PicturePreprocessing, limits: DecodeLimits) -> DecodedBatch:
    started = time.perf_counter()
    keys, rows, failures = [], [], {}
    for key, path in pictures:
        _start_timers(limits.cpu_s, limits.clock_s)
        try:
            views = open_views(path, _MAX_PIXELS, (wanted.width, wanted.height))
            rows += [prepare_picture(view, wanted) for view in views]
            keys += [key] * len(views)
        except (BadPicture, TooLarge) as error:
            failures[key] = str(error)
    _start_timers(0.0, 0.0)
    pixels = np.stack(rows) if rows else _no_pixels(wanted)
    return DecodedBatch(keys, pixels, failures, time.perf_counter() - started)


def _start_timers(cpu_s: float, clock_s: float) -> None:
    """The signals of these timers end the process: a decoder that is stuck never comes back to Python."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, clock_s)


def _no_pixels(wanted: PicturePreprocessing) -> np.ndarray:
    return np.zeros((0, wanted.height, wanted.width, 3), np.uint8)


def _chunks(pictures: Sequence[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    for start in range(0, len(pictures), size):
        yield list(pictures[start : start + size])


def cpu_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
