"""The digest of everything that an index is made from; a rebuild with the same digest copies the files it has.

A generation's manifest keeps the digest ("inputs"). The same inputs give the same files, so they are copied: not
linked, since each generation has to survive damage to the others.
"""

import hashlib
import logging
import platform
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from magpie.data.errors import GenerationBroken
from magpie.data.settings import Settings
from magpie.indexer.generations.store import OWN_FIELDS, check_files, current_id, read_manifest

INPUTS = "inputs"
log = logging.getLogger(__name__)
_PACKAGES = (Path(__file__).parents[1], Path(__file__).parents[2] / "data")
_CODE = ("*.py", "*.json")  # of every folder below
_NOT_CODE = ("demo", "models")  # of data/: they hold no code that makes an index


def digest_inputs(*given: object) -> str:
    """A hash of these values, by `repr`, and of the code that makes an index from them."""
    digest = hashlib.blake2b(code_digest().encode(), digest_size=16)
    for value in given:
        digest.update(value if isinstance(value, bytes) else repr(value).encode())
        digest.update(b"\0")
    return digest.hexdigest()


@cache
def code_digest() -> str:
    """A hash of the code that makes an index, and of the versions of Python, numpy and FAISS."""
    return digest_code(_PACKAGES)


def digest_code(packages: Sequence[Path]) -> str:
    """A hash of every source file in these folders and below, with its path, and of the versions of Python, numpy
    and FAISS."""
    digest = hashlib.blake2b(f"{platform.python_version()} {np.__version__} {faiss.__version__}".encode())
    for package in packages:
        for path in sorted(path for pattern in _CODE for path in package.rglob(pattern)):
            name = path.relative_to(package)
            if name.parts[0] not in _NOT_CODE:
                digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def take_over(settings: Settings, folder: Path, inputs: str) -> dict[str, Any] | None:
    """Copies the current generation's files into the folder and returns its manifest without the fields that sealing
    adds. None, and nothing is copied, where it was made from other inputs or is broken."""
    current = current_id(settings)
    if current is None:
        return None
    source = settings.generations_dir / current
    try:
        manifest = read_manifest(source)
        if manifest.get(INPUTS) != inputs:
            return None
        check_files(source, manifest)
    except GenerationBroken as error:
        log.warning("%s It is built anew.", error)
        return None
    for name in manifest["files"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)
    return {name: said for name, said in manifest.items() if name not in OWN_FIELDS}
