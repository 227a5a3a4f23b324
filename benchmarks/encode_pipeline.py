"""Whether pictures are encoded as fast as the network allows: the pipeline against the bare forward pass.

    python benchmarks/encode_pipeline.py FOLDER_OF_PICTURES [--model magpie-mini] [--count 8000]

Runs both in one go, alternating, and prints their ratio. The forward pass gets one core and pixels that are ready; the
pipeline reads and decodes the files in worker processes on the others meanwhile. Where decoding keeps up, the pipeline
should lose next to nothing; with more cores than decoding needs, it encodes on several and wins.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from magpie.data.pictures.decode import SUFFIXES
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import encode_missing_pictures
from magpie.indexer.encoder.encoder import Encoder, open_encoder
from magpie.indexer.encoder.image_decoding import decode_pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="magpie-mini")
    parser.add_argument("--count", type=int, default=8000)
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.folder.rglob("*") if p.suffix.lower() in SUFFIXES)[: arguments.count]
    pictures = {f"{n:032x}": path for n, path in enumerate(files)}
    encoder = open_encoder(arguments.model)
    encoder.expect_pictures(len(pictures))
    encoder.warm_up()
    decode_s = seconds_to_decode(encoder, pictures)
    for _ in range(3):
        forward_s = seconds_to_forward(encoder, len(pictures))
        pipeline_s = seconds_end_to_end(encoder, pictures)
        print(
            f"forward only {len(files) / forward_s:.0f}/s on one core, end to end {len(files) / pipeline_s:.0f}/s: "
            f"{forward_s / pipeline_s:.0%} (decoding alone: {len(files) / decode_s:.0f}/s and core)"
        )


def seconds_to_decode(encoder: Encoder, pictures: dict[str, Path]) -> float:
    """Core seconds of decoding alone."""
    return sum(batch.decode_s for batch in decode_pictures(list(pictures.items()), encoder.spec.preprocessing))


def seconds_to_forward(encoder: Encoder, count: int) -> float:
    encoder.set_threads(1)
    wanted = encoder.spec.preprocessing
    pixels = np.random.default_rng(0).integers(0, 255, (64, wanted.height, wanted.width, 3), np.uint8)
    encoder.encode_pictures(pixels)
    started = time.perf_counter()
    for _ in range(count // 64):
        encoder.encode_pictures(pixels)
    return (time.perf_counter() - started) * count / (count // 64 * 64)


def seconds_end_to_end(encoder: Encoder, pictures: dict[str, Path]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        cache = EmbeddingCache(Path(folder), "benchmark", encoder.spec.dim)
        started = time.perf_counter()
        encode_missing_pictures(encoder, pictures, cache, lambda stage, done, total: None)
        seconds = time.perf_counter() - started
        cache.close()
    return seconds


if __name__ == "__main__":
    main()
