"""Stores the decoded pictures of all training items in one file, so that they are decoded once for all epochs."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from magpie.data.pictures.decode import open_picture

# as for the pictures of a catalogue
_MAX_PIXELS = 200_000_000


def cached_pictures(paths: Sequence[Path], size: tuple[int, int], folder: Path) -> npt.NDArray[np.uint8]:
    """(n, height, width, 3) uint8 pixels, memory-mapped from `folder`; squashed to `size`, as by the exported model.

    The file's name is a hash of the paths, their sizes and times, and `size` (height, width). It is written beside its
    place and renamed. Raises BadPicture for a file that is no picture, FileNotFoundError for a missing one.
    """
    digest = hashlib.sha256(repr(size).encode())
    for path in paths:
        state = path.stat()
        digest.update(f"{path}:{state.st_size}:{state.st_mtime_ns}\n".encode())
    file = folder / f"pictures-{digest.hexdigest()[:16]}.npy"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".tmp")
        _decode(paths, size, beside)
        beside.replace(file)
    pictures: npt.NDArray[np.uint8] = np.load(file, mmap_mode="r")
    return pictures


def _decode(paths: Sequence[Path], size: tuple[int, int], out: Path) -> None:
    height, width = size
    pixels = np.lib.format.open_memmap(out, "w+", np.uint8, (len(paths), height, width, 3))

    def decode(row: int) -> None:
        picture = open_picture(paths[row], _MAX_PIXELS, (width, height))
        pixels[row] = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))

    with ThreadPoolExecutor() as threads:  # Pillow decodes and resizes without holding the interpreter's lock
        for _ in threads.map(decode, range(len(paths)), chunksize=64):
            pass
    pixels.flush()
