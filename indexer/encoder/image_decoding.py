"""Decodes picture files to pixels in worker processes with limits on time and memory; a crash costs one picture."""

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
    """The pixels of a batch of pictures, and the reason for each picture that could not be decoded.

    `keys` are the n decoded pictures' keys, `pixels` (n, height, width, 3) uint8, `dominant_colours` (n, 3) uint8 red,
    green and blue. The frames of a video are consecutive rows with the same key. `failures` maps the keys of the other
    pictures to reasons; `decode_s` is seconds.
    """

    keys: list[str]
    pixels: np.ndarray
    dominant_colours: np.ndarray
    failures: dict[str, str]
    decode_s: float


def decode_pictures(
    pictures: Sequence[tuple[str, Path]], preprocessing: PicturePreprocessing, limits: DecodeLimits | None = None
) -> Iterator[DecodedBatch]:
    """Batches of decoded `pictures` (key, file) in order, a few ahead of the consumer, by one process for each core.

    When a worker process dies (a crash in a codec, an endless loop, too much memory), its pictures are decoded one by
    one, and the one that kills its process again is reported in `failures`. Raises DecodingFailed where no worker
    process can run.
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
                        pending.append((chunk, pool.submit(_decode_chunk, chunk, preprocessing, limits)))
                    yield pending[0][1].result()
                    pending.popleft()
            except BrokenProcessPool:
                lost = [picture for chunk, _ in pending for picture in chunk]
                yield from _decode_one_by_one(lost, preprocessing, limits)


def _decode_one_by_one(
    pictures: Sequence[tuple[str, Path]], preprocessing: PicturePreprocessing, limits: DecodeLimits
) -> Iterator[DecodedBatch]:
    """Decodes each picture alone, to find those that kill their process."""
    waiting = deque(pictures)
    while waiting:
        with start_workers(1, limits) as pool:
            _check_workers_start(pool)
            try:
                while waiting:
                    yield pool.submit(_decode_chunk, [waiting[0]], preprocessing, limits).result()
                    waiting.popleft()
            except BrokenProcessPool:
                key, _ = waiting.popleft()
                no_pixels = _no_pixels(preprocessing)
                yield DecodedBatch([], no_pixels, find_dominant_colours(no_pixels), {key: LOST}, 0.0)


def _check_workers_start(pool: ProcessPoolExecutor) -> None:
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise DecodingFailed(
            "The processes that decode pictures end at once. Is there memory left? A script of your own "
            "must start its work under `if __name__ == '__main__':`."
        ) from error


def _decode_chunk(
    pictures: list[tuple[str, Path]], preprocessing: PicturePreprocessing, limits: DecodeLimits
) -> DecodedBatch:
    started = time.perf_counter()
    keys, rows, failures = [], [], {}
    for key, path in pictures:
        start_timers(limits.cpu_s, limits.clock_s)
        try:
            views = decode_views(path, preprocessing)
            rows += list(views)
            keys += [key] * len(views)
        except (BadPicture, TooLarge) as error:
            failures[key] = str(error)
    start_timers(0.0, 0.0)
    pixels = np.stack(rows) if rows else _no_pixels(preprocessing)
    return DecodedBatch(keys, pixels, find_dominant_colours(pixels), failures, time.perf_counter() - started)


def decode_views(path: Path, preprocessing: PicturePreprocessing) -> np.ndarray:
    """(n, height, width, 3) uint8 pixels of the file: one picture, or one frame for each scene of a video.

    Raises BadPicture, TooLarge.
    """
    views = open_views(path, _MAX_PIXELS, (preprocessing.width, preprocessing.height))
    return np.stack([prepare_picture(view, preprocessing) for view in views])


def decode_upload(content: bytes, max_pixels: int, preprocessing: PicturePreprocessing) -> np.ndarray:
    """(height, width, 3) uint8 pixels of an uploaded query picture. Raises BadPicture, TooLarge."""
    picture = open_picture(content, max_pixels, (preprocessing.width, preprocessing.height))
    return prepare_picture(picture, preprocessing)


def _no_pixels(preprocessing: PicturePreprocessing) -> np.ndarray:
    return np.zeros((0, preprocessing.height, preprocessing.width, 3), np.uint8)


def _chunks(pictures: Sequence[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    for start in range(0, len(pictures), size):
        yield list(pictures[start : start + size])


def cpu_count() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
