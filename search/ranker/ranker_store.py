"""Trained rankers on disk: immutable folders under `rankers/`, the one that serves named by one renamed file."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from magpie.data.clock import now_ms
from magpie.data.errors import RankerBroken
from magpie.data.settings import Settings
from magpie.search.ranker.affinities import Affinities, Table
from magpie.search.ranker.click_statistics import ClickStatistics
from magpie.search.ranker.features import NAMES
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker.tree_inference import Forest
from magpie.search.ranker.trees import Trees, calibrated

FORMAT = 5
_POISSON = "poisson"  # older rankers may have "lambdamart" instead: sums that a calibration makes rates
KEPT_RANKERS = 5
MANIFEST = "manifest.json"
_CURRENT = "CURRENT"
_ARRAYS = ("starts", "ids", "counts", "query_vectors", "directions")
_TOLD = ("created_at", "report")  # what is read of versions that do not serve, too


def save_ranker(
    settings: Settings, ranker: Ranker, fingerprint: str, report: dict[str, Any], log_read_ms: int | None = None
) -> str:
    """The version under which the ranker now lies, with its report; it does not serve yet.

    `fingerprint` is that of the encoder whose vectors it was trained on, `log_read_ms` when the log was read that it
    learned from (since 1970), now where not given. All but the newest KEPT_RANKERS and the serving one are deleted.
    """
    settings.rankers_dir.mkdir(parents=True, exist_ok=True)
    for left_over in settings.rankers_dir.glob(".*.new"):  # of a training that was killed; we hold the lock
        shutil.rmtree(left_over)
    versions = ranker_versions(settings)
    number = int(versions[-1].split("-")[0]) + 1 if versions else 1
    version = f"{number:06d}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    beside = settings.rankers_dir / f".{version}.new"
    beside.mkdir()
    for place, forest in enumerate(ranker.trees.forests):
        with (beside / f"trees-{place}.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **vars(forest))
    arrays = {name: getattr(ranker.statistics, name) for name in _ARRAYS}
    affinities = ranker.statistics.affinities
    arrays |= {"by_rank": ranker.by_rank, "falls": affinities.falls}
    for name, table in (("items", affinities.items), ("tagged", affinities.tagged)):
        arrays |= {f"{name}_cells": table.cells, f"{name}_values": table.values}
    with (beside / "arrays.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    manifest = {
        "format": FORMAT,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "log_read_ms": now_ms() if log_read_ms is None else log_read_ms,
        "fingerprint": fingerprint,
        "features": list(NAMES),
        "kappa": ranker.kappa,
        "new_share": ranker.new_share,
        "depth": ranker.depth,
        "serves_new_queries": ranker.serves_new_queries,
        "objective": _POISSON,
        "num_trees": len(ranker.trees.forests),
        "queries": ranker.statistics.queries,
        "terms": affinities.terms,
        "tags": affinities.tags,
        "widths": [affinities.items.width, affinities.tagged.width],
        "report": report,
        "checksums": {path.name: _checksum(path) for path in sorted(beside.iterdir())},
    }
    (beside / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    beside.replace(settings.rankers_dir / version)
    _prune(settings)
    return version


def publish_ranker(settings: Settings, version: str) -> None:
    """Makes a saved version the serving one."""
    beside = settings.rankers_dir / f"{_CURRENT}.new"
    beside.write_text(version, encoding="utf-8")
    beside.replace(settings.rankers_dir / _CURRENT)


def current_ranker(settings: Settings) -> str | None:
    """The serving version, None while the first stage serves alone. Raises RankerBroken where that cannot be read."""
    try:
        return (settings.rankers_dir / _CURRENT).read_text(encoding="utf-8", errors="replace").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RankerBroken(f"rankers/{_CURRENT} cannot be read ({error}). Run `magpie train ranker`.") from error


def published_ms(settings: Settings) -> int:
    """When the serving version was published, in milliseconds since 1970; 0 where none serves."""
    try:
        return int(1_000 * (settings.rankers_dir / _CURRENT).stat().st_mtime)
    except FileNotFoundError:
        return 0


def withdraw_ranker(settings: Settings) -> None:
    """Lets the first stage serve alone again; the versions stay."""
    (settings.rankers_dir / _CURRENT).unlink(missing_ok=True)


def ranker_versions(settings: Settings) -> list[str]:
    """All versions on disk, oldest first."""
    if not settings.rankers_dir.is_dir():
        return []
    return sorted(path.parent.name for path in settings.rankers_dir.glob(f"[0-9]*/{MANIFEST}"))


def read_manifest(settings: Settings, version: str) -> dict[str, Any]:
    """What a version says of itself, its training report included. Raises RankerBroken."""
    try:
        manifest: dict[str, Any] = json.loads(_folder(settings, version).joinpath(MANIFEST).read_text(encoding="utf-8"))
        missing = [name for name in _TOLD if name not in manifest]
    except (OSError, ValueError, TypeError) as error:
        raise RankerBroken(
            f"Ranker {version} has no readable {MANIFEST} ({error}). Run `magpie train ranker`."
        ) from error
    if missing:
        raise RankerBroken(f"The {MANIFEST} of ranker {version} lacks {', '.join(missing)}. Run `magpie train ranker`.")
    return manifest


def is_stale(manifest: Mapping[str, Any], forgotten_ms: int) -> bool:
    """Whether something was forgotten or purged (milliseconds since 1970) after the ranker had learned from it."""
    return bool(0 < forgotten_ms >= manifest.get("log_read_ms", 0))


def drop_stale_rankers(settings: Settings, forgotten_ms: int) -> None:
    """Deletes the versions that learned from what was forgotten since; where one of them serves, none does then."""
    serving = current_ranker(settings)
    for version in ranker_versions(settings):
        try:
            manifest = read_manifest(settings, version)
        except RankerBroken:  # it may know what was forgotten, and nothing can serve it
            manifest = {}
        if is_stale(manifest, forgotten_ms):
            if version == serving:
                withdraw_ranker(settings)
            _delete(settings, version)


def open_ranker(settings: Settings, version: str, fingerprint: str) -> Ranker:
    """The ranker of a version. Raises RankerBroken where its files, format, features or encoder do not fit."""
    manifest = read_manifest(settings, version)
    wanted = {"format": FORMAT, "features": list(NAMES), "fingerprint": fingerprint}
    for name, value in wanted.items():
        if manifest.get(name) != value:
            raise RankerBroken(f"Ranker {version} has another {name} than what serves. Run `magpie train ranker`.")
    try:
        return _read_ranker(_folder(settings, version), manifest)
    except Exception as error:  # zipfile, pickle and numpy each have their own for a file that is damaged
        raise RankerBroken(f"Ranker {version} cannot be opened ({error!r}). Run `magpie train ranker`.") from error


def _read_ranker(folder: Path, manifest: dict[str, Any]) -> Ranker:
    for name, checksum in manifest["checksums"].items():
        if _checksum(folder / name) != checksum:
            raise ValueError(f"{name} is damaged")
    forests = []
    for place in range(manifest["num_trees"]):
        with np.load(folder / f"trees-{place}.npz") as parts:
            forests.append(Forest(**{name: parts[name] for name in parts.files}))
    with np.load(folder / "arrays.npz") as arrays:
        of_items, of_tags = (
            Table(width, arrays[f"{name}_cells"], arrays[f"{name}_values"])
            for name, width in zip(("items", "tagged"), manifest["widths"], strict=True)
        )
        tags = [(name, value) for name, value in manifest["tags"]]
        affinities = Affinities(manifest["terms"], tags, of_items, of_tags, arrays["falls"])
        statistics = ClickStatistics(manifest["queries"], **{n: arrays[n] for n in _ARRAYS}, affinities=affinities)
        by_rank = arrays["by_rank"]
    if manifest["objective"] != _POISSON:
        forests = [calibrated(forest, *manifest["calibration"]) for forest in forests]
    told = (manifest[name] for name in ("new_share", "depth", "serves_new_queries"))
    ranker = Ranker(Trees(forests), statistics, manifest["kappa"], by_rank, *told)
    ranker.warm_up()
    return ranker


def _checksum(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


def _folder(settings: Settings, version: str) -> Path:
    return settings.rankers_dir / Path(version).name


def _prune(settings: Settings) -> None:
    serving = current_ranker(settings)
    for version in ranker_versions(settings)[:-KEPT_RANKERS]:
        if version != serving:
            _delete(settings, version)


def _delete(settings: Settings, version: str) -> None:
    doomed = settings.rankers_dir / f".{version}.new"  # gone for readers at once, whatever happens next
    (settings.rankers_dir / version).rename(doomed)
    shutil.rmtree(doomed)
