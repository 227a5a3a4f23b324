"""Photographs the demo shop's products: one JPEG for each design that has none yet."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "data" / "demo"
sys.path.insert(0, str(HERE))

from workshop.design import Design  # noqa: E402
from workshop.faults import item_id, plant_faults  # noqa: E402
from workshop.kinds import KINDS  # noqa: E402
from workshop.range import COUNT, SEED, draw_range, plan_shot  # noqa: E402

QUALITY = 89


@dataclass(frozen=True)
class Job:
    """One picture to take: the n-th design, its file, pixels a side, paths a pixel, and Mitsuba's variant."""

    number: int
    design: Design
    path: Path
    size: int
    samples: int
    variant: str


def photograph_one(job: Job) -> tuple[str, float]:
    """Renders one design into its file (written beside its place and renamed); its id and the seconds it took.

    A design that cannot be rendered is named with its error; the others go on.
    """
    try:
        return _photograph(job)
    except Exception as error:
        print(f"{job.path.stem} ({job.design}): {error!r}", file=sys.stderr, flush=True)
        return job.path.stem, 0.0


def _photograph(job: Job) -> tuple[str, float]:
    import mitsuba

    if mitsuba.variant() is None:
        mitsuba.set_variant(job.variant)
        mitsuba.set_log_level(mitsuba.LogLevel.Error)
    from PIL import Image
    from workshop.studio import photograph

    started = time.monotonic()
    samples = job.samples * (2 if job.design.finish.material == "glass" else 1)
    parts = KINDS[job.design.kind].build(job.design)
    picture = photograph(parts, plan_shot(job.design), job.size, samples, seed=job.number)
    beside = job.path.with_suffix(".part")
    Image.fromarray(picture).save(beside, "JPEG", quality=QUALITY, optimize=True)
    beside.rename(job.path)
    return job.path.stem, time.monotonic() - started


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """The designs that this run is to photograph: not those that have a picture, or are to go without their own."""
    part, parts = (int(x) for x in options.shard.split("/"))
    designs = draw_range(COUNT)
    faults = plant_faults(designs, SEED)
    without = {*faults.no_picture, *faults.wrong_picture}
    for number, design in enumerate(designs):
        path = options.out / f"{item_id(number)}.jpg"
        wanted = not options.only or design.kind in options.only
        if wanted and item_id(number) not in without and number % parts == part - 1 and not path.exists():
            yield Job(number, design, path, options.size, options.spp, options.variant)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="KIND", choices=list(KINDS), help="only this kind (may be repeated)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes, each on one core (default 2)")
    parser.add_argument("--out", type=Path, default=DEMO / "images", help="folder of the pictures")
    parser.add_argument("--size", type=int, default=320, help="pixels along each side (default 320)")
    parser.add_argument(
        "--spp", type=int, default=9, help="paths a pixel before denoising, twice that for glass (default 9)"
    )
    parser.add_argument(
        "--variant", default="scalar_rgb", help="Mitsuba's; llvm_ad_rgb is faster where LLVM 16+ is there"
    )
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="the I-th of N equal parts of the shop")
    parser.add_argument("--limit", type=int, default=None, help="stop after this many pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    todo = list(jobs(options))[: options.limit]
    started = time.monotonic()
    os.environ["DRJIT_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(options.workers, maxtasksperchild=100) as pool:
        for done, (name, seconds) in enumerate(pool.imap_unordered(photograph_one, todo), 1):
            if done % 50 == 0 or done == len(todo):
                left = (time.monotonic() - started) / done * (len(todo) - done)
                print(f"{done}/{len(todo)}  {name}  {seconds:.1f} s  {left / 60:.0f} min left", flush=True)
    copy_strangers(options.out)


def copy_strangers(folder: Path) -> None:
    """Gives the items that carry another item's picture a copy of it, once that one is there."""
    for name, other in plant_faults(draw_range(COUNT), SEED).wrong_picture.items():
        source, target = folder / f"{other}.jpg", folder / f"{name}.jpg"
        if source.exists() and not target.exists():
            target.write_bytes(source.read_bytes())


if __name__ == "__main__":
    main()
