"""Picture files → pixels, in worker processes that have so much time and memory; one that crashes costs its picture."""

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.errors import BadPicture, DecodingFailed, TooLarge
from magpie.data.pictures.decode import open_picture, open_views
from magpie.data.pictures.sandbox import LOST, DecodeLimits, start_timers, start_workers
from magpie.indexer.encoder.dominant_colour import find_dominant_colours
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing, prepare_picture

_PICTURES_PER_BATCH = 64
_MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class DecodedBatch:
    """Pixels (n, height, width, 3) uint8 of the pictures that decoded, their keys, and why the others did not.

    The frames of a video stand in a row and have the same key. `dominant_colours` (n, 3) uint8 is red, green
    and blue of what each shows most of.
    """

    keys: list[str]
    pixels: np.ndarray
    dominant_colours: np.ndarray
    failures: dict[str, str]
    decode_s: float


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
        with start_workers(cpu_count(), limits) as pool:
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
        with start_workers(1, limits) as pool:
            _check_that_it_runs(pool)
            try:
                while waiting:
                    yield pool.submit(_decode_chunk, [waiting[0]], wanted, limits).result()
                    waiting.popleft()
            except BrokenProcessPool:
                key, _ = waiting.popleft()
                yield DecodedBatch([], _no_pixels(wanted), find_dominant_colours(_no_pixels(wanted)), {key: LOST}, 0.0)


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
        start_timers(limits.cpu_s, limits.clock_s)
        try:
            views = decode_views(path, wanted)
            rows += list(views)
            keys += [key] * len(views)
        except (BadPicture, TooLarge) as error:
            failures[key] = str(error)
    start_timers(0.0, 0.0)
    pixels = np.stack(rows) if rows else _no_pixels(wanted)
    return DecodedBatch(keys, pixels, find_dominant_colours(pixels), failures, time.perf_counter() - started)


def decode_views(path: Path, wanted: PicturePreprocessing) -> np.ndarray:
    """(n, height, width, 3) uint8: the picture, or a frame of each scene of a video. Raises BadPicture, TooLarge."""
    views = open_views(path, _MAX_PIXELS, (wanted.width, wanted.height))
    return np.stack([prepare_picture(view, wanted) for view in views])


def decode_upload(content: bytes, max_pixels: int, wanted: PicturePreprocessing) -> np.ndarray:
    """(height, width, 3) uint8 of a picture that somebody searches by. Raises BadPicture, TooLarge."""
    return prepare_picture(open_picture(content, max_pixels, (wanted.width, wanted.height)), wanted)


def _no_pixels(wanted: PicturePreprocessing) -> np.ndarray:
    return np.zeros((0, wanted.height, wanted.width, 3), np.uint8)


def _chunks(pictures: Sequence[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    for start in range(0, len(pictures), size):
        yield list(pictures[start : start + size])


def cpu_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
