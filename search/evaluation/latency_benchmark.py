"""Measures the latency of a home on this machine: encoding texts and pictures, and searching, in one process."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.errors import BadPicture, TooLarge
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.encoder.image_decoding import decode_views
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest

_PICTURES = 256
_BATCH = 64

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True)
class Timings:
    """Milliseconds of single calls: how many, and their percentiles."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timings":
        p50, p90, p99 = (round(1000 * float(v), 2) for v in np.percentile(seconds, [50, 90, 99]))
        return cls(len(seconds), p50, p90, p99)


@dataclass
class Speed:
    """The measured latencies; None where the catalogue has nothing to measure them on."""

    items: int
    model: str
    index: str
    text: Timings  # one query into a vector
    search: Timings  # one search by words, facets included
    picture: Timings | None = None  # one picture into a vector
    picture_search: Timings | None = None
    pictures_per_s: float | None = None  # encoded in batches, on one core
    decoded_per_s: float | None = None  # read, decoded and resized, on one core
    notes: list[str] = field(default_factory=list)


def measure_speed(engine: SearchEngine, catalogue: Catalogue, num_queries: int, tell: Progress) -> Speed:
    """The speed of one thread on this home, caches warm, no query asked twice. Raises NoIndex."""
    engine.warm_up()
    about, encoder = engine.status(), engine.serving.encoder
    queries = draw_queries([phrase for phrase, _ in engine.serving.generation.phrases], num_queries + num_queries // 10)
    for query in queries[num_queries:]:
        engine.search(SearchRequest(text=query))
    speed = Speed(
        about["items"],
        about["model"],
        about["index"],
        _time(lambda text: encoder.encode_texts([text]), [f"{query} please" for query in queries[:num_queries]]),
        _time(lambda text: engine.search(SearchRequest(text=text)), queries[:num_queries], "searches", tell),
    )
    _measure_pictures(speed, engine, _some_pictures(catalogue), tell)
    return speed


def draw_queries(phrases: Sequence[str], count: int) -> list[str]:
    """Different searches of the catalogue's own phrases, half of them of two at once."""
    chance = random.Random(0)
    if not phrases:
        return ["anything"] * count
    pairs = [chance.sample(phrases, min(2, len(phrases))) for _ in range(count)]
    return [" ".join(pair) if chance.random() < 0.5 else pair[0] for pair in pairs]


def _measure_pictures(speed: Speed, engine: SearchEngine, files: list[Path], tell: Progress) -> None:
    wanted = engine.serving.encoder.spec.preprocessing
    pixels, decoded_s = _decode(files, wanted)
    if not len(pixels):
        speed.notes.append("The catalogue has no pictures that can be read.")
        return
    speed.decoded_per_s = round(len(pixels) / decoded_s, 1)
    speed.picture = _time(lambda one: engine.serving.encoder.encode_pictures(one[None]), list(pixels))
    uploads = [file.read_bytes() for file in files[:50]]
    speed.picture_search = _time(lambda data: engine.search(SearchRequest(picture=data)), uploads, "pictures", tell)
    many = _for_many(engine.serving.encoder)
    many.encode_pictures(pixels[:_BATCH])
    started = time.perf_counter()
    for at in range(0, len(pixels), _BATCH):
        many.encode_pictures(pixels[at : at + _BATCH])
    speed.pictures_per_s = round(len(pixels) / (time.perf_counter() - started), 1)


def _for_many(encoder: Encoder) -> Encoder:
    """The encoder as an index rebuild uses it, on one core."""
    encoder.expect_pictures(1_000_000)
    encoder.set_threads(1)
    return encoder


def _decode(files: Sequence[Path], wanted: PicturePreprocessing) -> tuple[np.ndarray, float]:
    pixels, started = [], time.perf_counter()
    for file in files:
        try:
            pixels.append(decode_views(file, wanted)[0])
        except (BadPicture, TooLarge, OSError):
            continue
    return np.array(pixels), time.perf_counter() - started


def _some_pictures(catalogue: Catalogue) -> list[Path]:
    found: list[Path] = []
    for items in catalogue.scan():
        found += [p.path for item in items for p in item.pictures[:1] if p.status == "ok"]
        if len(found) >= _PICTURES:
            break
    return found[:_PICTURES]


def _time(
    call: Callable[[Any], object], inputs: Sequence[Any], stage: str = "", tell: Progress | None = None
) -> Timings:
    """The latencies of calls, one after the other."""
    took = []
    for done, one in enumerate(inputs):
        started = time.perf_counter()
        call(one)
        took.append(time.perf_counter() - started)
        if tell and done % 50 == 0:
            tell(stage, done, len(inputs))
    return Timings.of(took)
