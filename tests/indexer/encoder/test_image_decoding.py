"""Decoding in worker processes: a picture that hangs or eats memory costs itself, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from magpie.data.pictures.sandbox import DecodeLimits
from magpie.indexer.encoder.image_decoding import decode_pictures
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing

WANTED = PicturePreprocessing(16, 16)


def decode(paths: list[Path], limits: DecodeLimits) -> tuple[list[str], dict[str, str]]:
    """The names of the pictures that decoded, and why the others did not."""
    batches = list(decode_pictures([(path.name, path) for path in paths], WANTED, limits))
    return [key for batch in batches for key in batch.keys], {
        k: v for batch in batches for k, v in batch.failures.items()
    }


def test_files_that_never_end_cost_only_themselves(tmp_path: Path, picture: Callable[..., Path]) -> None:
    endless = [tmp_path / f"endless-{n}.jpg" for n in range(3)]
    for path in endless:
        os.mkfifo(path)
    good = [picture(f"good-{n}.jpg") for n in range(3)]
    decoded, failures = decode([good[0], *endless, *good[1:]], DecodeLimits(clock_s=0.5))
    assert decoded == [path.name for path in good]
    assert set(failures) == {path.name for path in endless}
    assert all("too long" in reason for reason in failures.values())


def test_work_without_end_is_ended(tmp_path: Path, picture: Callable[..., Path]) -> None:
    heavy = tmp_path / "heavy.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (4000, 4000, 3), np.uint8)).save(heavy, compress_level=1)
    decoded, failures = decode([picture("good.jpg"), heavy], DecodeLimits(cpu_s=0.05))
    assert "heavy.png" in failures and "too long" in failures["heavy.png"]
    assert decoded == ["good.jpg"]


def test_a_picture_that_does_not_fit_into_memory_is_named(tmp_path: Path, picture: Callable[..., Path]) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (14_000, 14_000)).save(large, compress_level=1)
    decoded, failures = decode([large, picture("good.jpg")], DecodeLimits(memory_bytes=400_000_000))
    assert decoded == ["good.jpg"]
    assert "memory" in failures["large.png"]


def test_a_picture_that_vanished_is_named(tmp_path: Path, picture: Callable[..., Path]) -> None:
    decoded, failures = decode([tmp_path / "gone.jpg", picture("good.jpg")], DecodeLimits())
    assert decoded == ["good.jpg"]
    assert "is not there" in failures["gone.jpg"]
