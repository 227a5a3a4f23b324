"""Describes the files of a folder by size and checksum, and finds what does not match a description."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKSUM = "checksum"


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size ("size_bytes") and checksum ("blake2b") of every file below the folder, by path in it; locks left out."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {
        path.relative_to(folder).as_posix(): {"size_bytes": path.stat().st_size, "blake2b": _of_file(path)}
        for path in paths
    }


def find_fault(folder: Path, files: Mapping[str, Mapping[str, Any]], with_checksums: bool = True) -> str:
    """The first file that is not as described, and in what; "" where all are. Sizes are compared always."""
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != expected["size_bytes"]:
            return f"{name} is missing or has another size"
        if with_checksums and _of_file(path) != expected["blake2b"]:
            return f"{name} does not match its checksum"
    return ""


def checksum_of(manifest: Mapping[str, Any]) -> str:
    """The checksum of all fields but the checksum itself; their order does not matter."""
    said = {name: value for name, value in manifest.items() if name != CHECKSUM}
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
