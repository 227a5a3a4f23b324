"""Keeps the ONNX graphs of models that come without them, exported when a home first uses the model.

The home's `models/cache/` has a folder for each model. A separate process exports: it needs torch, which takes seconds
and half a gigabyte that a server should not spend.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from magpie.data import errors
from magpie.data.errors import HomeLocked
from magpie.data.home.locks import lock_home
from magpie.indexer.encoder.onnx_clip import GraphInfo, read_graph_info

__all__ = ["cache_folder", "cached_graphs"]

log = logging.getLogger(__name__)

_WAIT_S = 1800.0  # for another process that exports just now


def cached_graphs(
    home: Path, model: str, pretrained: str | None, fingerprint: str | None
) -> tuple[Path, GraphInfo] | None:
    """The folder of the model's graphs in this home and their description, exported now where they are missing.

    `model` is a folder with a known `fingerprint`, or an open_clip model name; the graphs of a name are valid while the
    weight files are unchanged. None, with a warning in the log, where the home is not writable or the model cannot be
    exported. Raises what `open_encoder` raises for a model that does not exist.
    """
    folder = cache_folder(home, model, pretrained)
    info = _valid_info(folder, fingerprint)
    if info is None:
        try:
            info = _export_once(home, folder, model, pretrained, fingerprint)
        except (HomeLocked, OSError) as error:
            log.warning("torch runs %s, since its graphs cannot be kept: %s", model, error)
            return None
    if info is None:
        return None
    if info.failure is not None:
        log.warning("torch runs %s, which cannot be exported for ONNX Runtime: %s", model, info.failure)
        return None
    return folder, info


def cache_folder(home: Path, model: str, pretrained: str | None) -> Path:
    """The folder in the home for the graphs of this model."""
    name = hashlib.blake2b(f"{model}\0{pretrained or ''}".encode(), digest_size=12).hexdigest()
    return home / "models" / "cache" / name


def _valid_info(folder: Path, fingerprint: str | None) -> GraphInfo | None:
    info = read_graph_info(folder)
    if info is None:
        return None
    is_valid = info.fingerprint == fingerprint if fingerprint else _is_unchanged(info)
    return info if is_valid else None


def _is_unchanged(info: GraphInfo) -> bool:
    """Whether the files that the weights were read from are unchanged; a removed file counts as unchanged."""
    for path, size, changed in info.sources:
        try:
            stat = Path(path).stat()
        except OSError:
            continue
        if (stat.st_size, stat.st_mtime_ns) != (size, changed):
            return False
    return True


def _export_once(
    home: Path, folder: Path, model: str, pretrained: str | None, fingerprint: str | None
) -> GraphInfo | None:
    """Exports the model unless another process has done so; None where the exporting process ends early.

    Raises OSError where the home cannot be written, HomeLocked where another process takes too long.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not (os.access(home, os.W_OK) and os.access(folder.parent, os.W_OK)):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder.parent))
    with lock_home(home, "export", _WAIT_S):
        info = _valid_info(folder, fingerprint)
        if info is not None:
            return info
        staging = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            if not _run_export(staging, model, pretrained, fingerprint):
                return None
            shutil.rmtree(folder, ignore_errors=True)
            staging.replace(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return read_graph_info(folder)


def _run_export(out: Path, model: str, pretrained: str | None, fingerprint: str | None) -> bool:
    """Whether the exporting process succeeded. Raises the child of MagpieError that it reports."""
    log.info("%s is exported for ONNX Runtime, once; this takes from ten seconds to a few minutes", model)
    options = {"--pretrained": pretrained, "--fingerprint": fingerprint}
    given = [word for name, value in options.items() if value for word in (name, value)]
    command = [sys.executable, "-P", "-m", "magpie.indexer.encoder.export_process", model, str(out), *given]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return True
    last = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
    try:
        report = json.loads(last)
        kind, message = getattr(errors, report["error"]), report["message"]
    except (ValueError, TypeError, KeyError, AttributeError):
        log.warning("torch runs %s, since its export ended early: %s", model, last[:200])
        return False
    raise kind(message)
