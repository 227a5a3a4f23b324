"""Fills the embedding cache from the catalogue and pools its vectors by item, for a rebuild and for changed items.

Worker processes decode pictures while this one encodes. Cached vectors are not encoded again and each batch is stored
at once, so an interrupted run continues where it stopped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.encoder.image_decoding import cpu_count, decode_pictures
from magpie.indexer.encoder.video_pooling import pool_frames
from magpie.indexer.text.item_text import Segment, text_key
from magpie.indexer.vectors import unit_rows

Progress = Callable[[str, int, int], None]  # stage, done, total
_POOLED_ROWS = 20_000
_TRIAL_BATCHES = 8
_TRIAL_WARM_UP = 3  # batches that were decoded before the number of threads changed


@dataclass
class EncodingReport:
    """The number of newly encoded vectors, and the reason for each picture (by key) that could not be decoded."""

    num_encoded: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def encode_texts(encoder: Encoder, texts: Sequence[str], cache: EmbeddingCache) -> tuple[np.ndarray, int]:
    """(n, dim) float32 unit rows of n texts, and the number of texts that the cache lacked and that were encoded."""
    key_of = {text: text_key(text) for text in texts}
    found = cache.get_many(list(key_of.values()))
    missing = [text for text, key in key_of.items() if key not in found]
    if missing:
        # as the cache will give them, so that an index is the same whether its texts were cached or not
        vectors = np.asarray(encoder.encode_texts(missing), np.float16).astype(np.float32)
        keys = [key_of[text] for text in missing]
        cache.put_many(keys, vectors)
        found.update(zip(keys, vectors, strict=True))
    rows = [found[key_of[text]] for text in texts]
    return unit_rows(np.stack(rows)) if rows else np.zeros((0, encoder.spec.dim), np.float32), len(missing)


def pool_texts(encoder: Encoder, cache: EmbeddingCache, items: Sequence[Sequence[Segment]]) -> tuple[np.ndarray, int]:
    """(n, dim) float32 text vectors of n items, and the number of newly encoded texts.

    A row is the weighted sum of the item's segments, rescaled to unit length; zero for an item without text.
    """
    flat = [segment for segments in items for segment in segments]
    vectors, num_encoded = encode_texts(encoder, [segment.text for segment in flat], cache)
    pooled = np.zeros((len(items), encoder.spec.dim), np.float32)
    owners = [row for row, segments in enumerate(items) for _ in segments]
    if flat:
        np.add.at(pooled, owners, vectors * np.array([[s.weight] for s in flat], np.float32))
    return unit_rows(pooled), num_encoded


def pool_pictures(cache: EmbeddingCache, pictures: Sequence[Sequence[str]], dim: int) -> np.ndarray:
    """(n, dim) float32 picture vectors of n items, given the content hashes of their pictures.

    A row is the mean of the item's cached picture vectors, rescaled to unit length; zero for an item without any.
    """
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
    """Encodes the pictures that the cache lacks and stores their vectors and dominant colours.

    `pictures` are files by content hash. The report names the pictures that could not be decoded.
    """
    missing = [(key, Path(pictures[key])) for key in cache.missing(pictures)]
    report = EncodingReport()
    if not missing:
        return report
    encoder.expect_pictures(len(missing))
    encoder.warm_up()  # before the pool, so that the first batch does not wait in the queue's memory
    trial = _ThreadTrial(encoder)
    done = 0
    for batch in decode_pictures(missing, encoder.spec.preprocessing):
        if batch.keys:
            keys, vectors = pool_frames(batch.keys, encoder.encode_pictures(batch.pixels))
            # colours before vectors: a picture with a cached vector is never decoded again
            cache.put_dominant_colours(batch.keys, batch.dominant_colours)
            cache.put_many(keys, vectors)
            report.num_encoded += len(keys)
            done += len(keys)
            trial.next_batch()
        report.failures.update(batch.failures)
        done += len(batch.failures)
        progress("pictures", done, len(missing))
    return report


class _ThreadTrial:
    """Sets the number of threads of the encoder, all cores or one, to what is faster while other processes decode.

    A small network gains little from a second thread, and waits for the thread whose core a decoder shares; a large one
    gains nearly all. A few batches are timed with each number, waiting included, and the faster is kept.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._choices = [cpu_count(), 1]
        encoder.set_threads(self._choices[0])
        self._seconds = [0.0, 0.0]
        self._batches = 0
        self._since = time.perf_counter()

    def next_batch(self) -> None:
        """Counts an encoded batch and changes the number of threads when a trial ends; call it after each batch."""
        now = time.perf_counter()
        turn, place = divmod(self._batches, _TRIAL_BATCHES)
        if turn < len(self._choices) and place >= _TRIAL_WARM_UP:
            self._seconds[turn] += now - self._since
        self._batches, self._since = self._batches + 1, now
        if self._batches == _TRIAL_BATCHES:
            self._encoder.set_threads(self._choices[1])
        elif self._batches == 2 * _TRIAL_BATCHES:
            self._encoder.set_threads(self._choices[self._seconds.index(min(self._seconds))])
