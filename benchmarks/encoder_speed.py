"""What an encoder takes on this machine: to be ready, for one text or picture, for many, and in memory.

    python benchmarks/encoder_speed.py [--model magpie-mini] [--pretrained TAG] [--home HOME] [--threads 1] [--torch]

Prints milliseconds of processor time and, in brackets, of the clock for each text or picture: the best of nine rounds,
all threads together. `--torch` shows torch beside it, in bfloat16 where the processor has it. To compare two
versions, run each in turns.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_ROUNDS = 9
_QUERIES = ["navy trainers", "a pair of blue canvas shoes for men", "red ceramic mug", "round wooden side table"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="magpie-mini")
    parser.add_argument("--pretrained")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--torch", action="store_true")
    arguments = parser.parse_args()
    before = memory_mb()
    started = time.perf_counter()
    from magpie.indexer.encoder.encoder import open_encoder

    encoder = open_encoder(arguments.model, arguments.pretrained, arguments.threads, arguments.home)
    encoder.warm_up()
    print(f"ready after {time.perf_counter() - started:.2f} s, {memory_mb() - before} MB more memory")
    wanted = encoder.spec.preprocessing
    pixels = np.random.default_rng(0).integers(0, 256, (64, wanted.height, wanted.width, 3), np.uint8)
    titles = [f"{query} {number} for every day of the week" for number in range(64) for query in _QUERIES]
    show("one text", lambda: [encoder.encode_texts([query]) for query in _QUERIES * 5], 20)
    show("one picture", lambda: [encoder.encode_pictures(pixels[at : at + 1]) for at in range(8)], 8)
    show("each of 256 texts", lambda: encoder.encode_texts(titles), len(titles))
    show("each of 64 pictures", lambda: encoder.encode_pictures(pixels), len(pixels))
    print(f"{memory_mb() - before} MB more memory afterwards")
    if arguments.torch:
        encoder.expect_pictures(10**9)
        encoder.set_threads(arguments.threads)
        show("each of 64 pictures where there are very many", lambda: encoder.encode_pictures(pixels), len(pixels))


def show(what: str, work: Callable[[], object], count: int) -> None:
    """Prints the best round's milliseconds for each of `count`."""
    processor, clock = [], []
    for _ in range(_ROUNDS):
        started, started_clock = time.process_time(), time.perf_counter()
        work()
        processor.append(time.process_time() - started)
        clock.append(time.perf_counter() - started_clock)
    print(f"{what}: {1000 * min(processor) / count:.2f} ms ({1000 * min(clock) / count:.2f})")


def memory_mb() -> int:
    """The resident memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


if __name__ == "__main__":
    main()
