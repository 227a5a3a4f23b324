"""Fills the embedding cache: decodes pictures in worker processes while the parent encodes, and encodes texts.

What is cached is not encoded again, and every few thousand vectors are stored as they come, so an
interrupted run goes on where it stopped.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from data.errors import BadPicture, DecodingFailed, TooLarge
from data.pictures import open_views
from indexer.embedding_cache import EmbeddingCache
from indexer.encoder import Encoder, unit_rows
from indexer.frames import pool_frames
from indexer.item_text import Segment, text_key
from indexer.preprocessing import PicturePreprocessing, prepare_picture

Progress = Callable[[str, int, int], None]  # stage, done, total
_PICTURES_PER_BATCH = 64
_POOLED_ROWS = 20_000
_MAX_PIXELS = 200_000_000
_MOST_CRASHES_IN_A_ROW = 3
_TRIAL_BATCHES = 8
_TRIAL_WARM_UP = 3  # batches that were decoded before the number of threads changed


@dataclass(frozen=True)
class DecodedBatch:
    """Pixels (n, height, width, 3) uint8 of the pictures that decoded, their keys, and why the others did not.

    The frames of a video stand in a row and have the same key.
    """

    keys: list[str]
    pixels: np.ndarray
    failures: dict[str, str]
    decode_s: float


@dataclass
class EncodingReport:
    """How many vectors were made now, and the pictures that could not be decoded with the reason."""

    num_encoded: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def encode_texts(encoder: Encoder, texts: Sequence[str], cache: EmbeddingCache) -> tuple[np.ndarray, int]:
    """(n, dim) unit rows of the texts, and how many of them the cache lacked."""
    key_of = {text: text_key(text) for text in texts}
    found = cache.get_many(list(key_of.values()))
    missing = [text for text, key in key_of.items() if key not in found]
    if missing:
        vectors = encoder.encode_texts(missing)
        keys = [key_of[text] for text in missing]
        cache.put_many(keys, vectors)
        found.update(zip(keys, vectors, strict=True))
    rows = [found[key_of[text]] for text in texts]
    return unit_rows(np.stack(rows)) if rows else np.zeros((0, encoder.spec.dim), np.float32), len(missing)


def pool_texts(encoder: Encoder, cache: EmbeddingCache, items: Sequence[Sequence[Segment]]) -> tuple[np.ndarray, int]:
    """(n, dim) text vectors: each item's segments by weight, unit rows, zero without words; how many were encoded."""
    flat = [segment for segments in items for segment in segments]
    vectors, num_encoded = encode_texts(encoder, [segment.text for segment in flat], cache)
    pooled = np.zeros((len(items), encoder.spec.dim), np.float32)
    owners = [row for row, segments in enumerate(items) for _ in segments]
    if flat:
        np.add.at(pooled, owners, vectors * np.array([[s.weight] for s in flat], np.float32))
    return unit_rows(pooled), num_encoded


def pool_pictures(cache: EmbeddingCache, pictures: Sequence[Sequence[str]], dim: int) -> np.ndarray:
    """(n, dim) picture vectors: the mean of each item's pictures (by content hash), unit rows, zero without any."""
    pooled = np.zeros((len(pictures), dim), np.float32)
    for start in range(0, len(pictures), _POOLED_ROWS):
        rows = pictures[start : start + _POOLED_ROWS]
        found = cache.get_many([key for keys in rows for key in keys])
        for row, keys in enumerate(rows, start):
            for key in keys:
                if key in found:
                    pooled[row] += found[key]
    return unit_rows(pooled)


def encode_missing_pictures(
    encoder: Encoder, pictures: Mapping[str, str], cache: EmbeddingCache, progress: Progress
) -> EncodingReport:
    """Encodes the pictures (content hash → file) that the cache lacks. Ones that cannot be decoded are reported."""
    missing = [(key, Path(pictures[key])) for key in cache.missing(pictures)]
    report = EncodingReport()
    if not missing:
        return report
    encoder.warm_up()  # before the pool, so that the first batch does not wait in the queue's memory
    _set_threads(cpu_count())
    trial = _ThreadTrial()
    done = 0
    for batch in decode_pictures(missing, encoder.spec.preprocessing):
        if batch.keys:
            keys, vectors = pool_frames(batch.keys, encoder.encode_pictures(batch.pixels))
            cache.put_many(keys, vectors)
            report.num_encoded += len(keys)
            done += len(keys)
            trial.next_batch()
        report.failures.update(batch.failures)
        done += len(batch.failures)
        progress("pictures", done, len(missing))
    return report


class _ThreadTrial:
    """Finds out whether the network is quicker with all cores or with one, while decoding needs the others.

    A small network gains little from a second thread and waits for the one that shares its core with a decoder; a large
    one gains nearly all. So a few batches are encoded each way, waiting included, and the quicker way is kept.
    """

    def __init__(self) -> None:
        self._choices = [cpu_count(), 1]
        self._seconds = [0.0, 0.0]
        self._batches = 0
        self._since = time.perf_counter()

    def next_batch(self) -> None:
        """To be called after each batch."""
        now = time.perf_counter()
        turn, place = divmod(self._batches, _TRIAL_BATCHES)
        if turn < len(self._choices) and place >= _TRIAL_WARM_UP:
            self._seconds[turn] += now - self._since
        self._batches, self._since = self._batches + 1, now
        if self._batches == _TRIAL_BATCHES:
            _set_threads(self._choices[1])
        elif self._batches == 2 * _TRIAL_BATCHES:
            _set_threads(self._choices[self._seconds.index(min(self._seconds))])


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def decode_pictures(pictures: Sequence[tuple[str, Path]], wanted: PicturePreprocessing) -> Iterator[DecodedBatch]:
    """Decoded batches in order, a few ahead of the consumer; decoding runs in as many processes as there are cores.

    A picture that takes its process down (a crash in a codec) is found by decoding alone and reported.
    """
    chunks = deque(_chunks(pictures, _PICTURES_PER_BATCH))
    while chunks:
        pending: deque[tuple[list[tuple[str, Path]], Future[DecodedBatch]]] = deque()
        with ProcessPoolExecutor(cpu_count(), mp_context=get_context("spawn")) as pool:
            try:
                while chunks or pending:
                    while chunks and len(pending) < 2 * cpu_count() + 1:
                        chunk = chunks.popleft()
                        pending.append((chunk, pool.submit(_decode_chunk, chunk, wanted)))
                    yield pending[0][1].result()
                    pending.popleft()
            except BrokenProcessPool:
                lost = [picture for chunk, _ in pending for picture in chunk]
                yield from _decode_one_by_one(lost, wanted)


def _decode_one_by_one(pictures: list[tuple[str, Path]], wanted: PicturePreprocessing) -> Iterator[DecodedBatch]:
    """Finds the pictures that crash their decoder. Several crashes in a row are no picture's fault, and raise."""
    crashed_in_a_row = 0
    for picture in pictures:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                yield pool.submit(_decode_chunk, [picture], wanted).result()
                crashed_in_a_row = 0
            except BrokenProcessPool as error:
                crashed_in_a_row += 1
                if crashed_in_a_row == _MOST_CRASHES_IN_A_ROW:
                    raise DecodingFailed(
                        "The processes that decode pictures end at once. Is there memory left? A script of your own "
                        "must start its work under `if __name__ == '__main__':`."
                    ) from error
                yield DecodedBatch([], _no_pixels(wanted), {picture[0]: "the decoder crashed on it"}, 0.0)


def _decode_chunk(pictures: list[tuple[str, Path]], wanted: PicturePreprocessing) -> DecodedBatch:
    started = time.perf_counter()
    keys, rows, failures = [], [], {}
    for key, path in pictures:
        try:
            views = open_views(path, _MAX_PIXELS, (wanted.width, wanted.height))
            rows += [prepare_picture(view, wanted) for view in views]
            keys += [key] * len(views)
        except (BadPicture, TooLarge) as error:
            failures[key] = str(error)
    pixels = np.stack(rows) if rows else _no_pixels(wanted)
    return DecodedBatch(keys, pixels, failures, time.perf_counter() - started)


def _no_pixels(wanted: PicturePreprocessing) -> np.ndarray:
    return np.zeros((0, wanted.height, wanted.width, 3), np.uint8)


def _chunks(pictures: Sequence[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    for start in range(0, len(pictures), size):
        yield list(pictures[start : start + size])


def cpu_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
