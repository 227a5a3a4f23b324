"""The home's generations: built beside their place, sealed, published by one rename, verified, rolled back, pruned.

`generations/<id>/` holds a manifest with the checksum of every other file. `CURRENT` names the one that is served.
Readers follow `CURRENT`; a broken generation is refused and the newest sound one is served instead.
"""

import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from magpie.data.errors import GenerationBroken, NoIndex
from magpie.data.settings import Settings
from magpie.indexer.fusion.modality_conflicts import load_conflicts
from magpie.indexer.generations.checksums import CHECKSUM, checksum_of, describe_files, find_fault
from magpie.indexer.generations.generation import Generation

FORMAT = 2
KEPT_GENERATIONS = 3
NO_INDEX = "There is no index yet. Import a catalogue with `magpie catalog import`, then run `magpie index rebuild`."
MANIFEST = "manifest.json"
OWN_FIELDS = ("format", "created_at", "size_bytes", "files", CHECKSUM)  # added by `seal`
# fields of every manifest of this format, and the defaults of those that came later
_NEEDED: tuple[str, ...] = (
    "items",
    "catalogue_revision",
    "parts",
    "dim",
    "model",
    "fingerprint",
    "recall",
    "index",
    "size_bytes",
)
_NEEDED += ("files", "text_weighing", "confidence")
_ADDED_LATER = {"pretrained": None, "created_at": "", "clicked_items": 0, "log_read_ms": 0}
_CHECKED_AT_OPEN_BYTES = 2_000_000_000
log = logging.getLogger(__name__)


def generation_ids(settings: Settings) -> list[str]:
    """The finished generations on disk, oldest first."""
    if not settings.generations_dir.is_dir():
        return []
    return sorted(
        p.name for p in settings.generations_dir.iterdir() if (p / MANIFEST).is_file() and p.name[0].isdigit()
    )


def current_id(settings: Settings) -> str | None:
    """The id that `CURRENT` names, None before the first rebuild."""
    try:
        return settings.current_file.read_bytes().decode("utf-8", "backslashreplace").strip() or None
    except FileNotFoundError:
        return None


def open_current(settings: Settings) -> tuple[Generation, list[str]]:
    """The generation to serve, and the alarms raised on the way to it.

    That is the current one, or the newest sound one where it is broken. Raises NoIndex where there is none.
    """
    wanted = current_id(settings)
    if wanted is None:
        raise NoIndex(NO_INDEX)
    alarms: list[str] = []
    for candidate in [wanted, *(g for g in reversed(generation_ids(settings)) if g != wanted)]:
        try:
            return open_generation(settings, candidate), alarms
        except GenerationBroken as error:
            alarms.append(str(error))
            log.error("%s", error)
    raise NoIndex(f"No generation can be opened. {alarms[0]} Run `magpie index rebuild`.")


def open_generation(settings: Settings, generation: str) -> Generation:
    """Opens one generation; raises GenerationBroken where its files do not match its manifest."""
    folder = settings.generations_dir / generation
    manifest = read_manifest(folder)
    check_files(folder, manifest, with_checksums=manifest["size_bytes"] <= _CHECKED_AT_OPEN_BYTES)
    return Generation(folder, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a generation's folder, with defaults for fields that an older Magpie did not write.

    Raises GenerationBroken where it cannot be read, has another format, lacks something, or has been altered.
    """
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GenerationBroken(f"Generation {folder.name} has no readable {MANIFEST} ({error}).") from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise GenerationBroken(f"Generation {folder.name} has format {found}, this Magpie reads {FORMAT}.")
    missing = [name for name in _NEEDED if name not in manifest]
    if missing:
        raise GenerationBroken(f"Generation {folder.name} is broken: its {MANIFEST} lacks {missing[0]!r}.")
    if manifest.get(CHECKSUM, expected := checksum_of(manifest)) != expected:
        raise GenerationBroken(f"Generation {folder.name} is broken: {MANIFEST} does not match its own checksum.")
    return {**_ADDED_LATER, **manifest}


def check_files(folder: Path, manifest: dict[str, Any], with_checksums: bool = True) -> None:
    """Compares the files with the manifest: sizes always, contents on demand. Raises GenerationBroken with the name."""
    if fault := find_fault(folder, manifest["files"], with_checksums):
        raise GenerationBroken(f"Generation {folder.name} is broken: {fault}.")


@contextmanager
def new_generation(settings: Settings) -> Iterator[Path]:
    """A fresh folder to build a generation in, beside its place; removed again if the block fails."""
    settings.generations_dir.mkdir(parents=True, exist_ok=True)
    for left_over in settings.generations_dir.glob(".building-*"):  # of a killed rebuild; this one holds the lock
        shutil.rmtree(left_over, ignore_errors=True)
    folder = settings.generations_dir / f".building-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # nothing is there any more once it was published


def seal(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Writes the manifest, which is `about` with the size and checksum of each file, and returns it."""
    files = describe_files(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    created = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = {"format": FORMAT, "created_at": created, **about, "size_bytes": size, "files": files}
    manifest = json.loads(json.dumps(manifest))  # as it will be read
    manifest[CHECKSUM] = checksum_of(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    return manifest


def publish_generation(settings: Settings, folder: Path) -> str:
    """Moves a sealed folder to its place, makes it current, and returns its id.

    Ids begin with a running number, so that their order survives a clock that goes backwards.
    """
    _sync_folder(folder)
    number = max((int(g.split("-")[0]) for g in generation_ids(settings)), default=0) + 1
    generation = f"{number:06d}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    folder.rename(settings.generations_dir / generation)
    _sync_path(settings.generations_dir)
    set_current(settings, generation)
    return generation


def set_current(settings: Settings, generation: str) -> None:
    """Makes a generation current by one rename, durably."""
    beside = settings.current_file.with_name(".CURRENT.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(generation + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(settings.current_file)
    _sync_path(settings.home)


def roll_back(settings: Settings) -> str:
    """Makes the newest sound generation before the current one current, and returns its id. Raises NoIndex."""
    current = current_id(settings)
    for candidate in reversed([g for g in generation_ids(settings) if current is None or g < current]):
        try:
            open_generation(settings, candidate)
        except GenerationBroken as error:
            log.error("%s", error)
            continue
        set_current(settings, candidate)
        return candidate
    raise NoIndex("There is no earlier generation to go back to.")


def prune(settings: Settings, keep: int = KEPT_GENERATIONS) -> list[str]:
    """Deletes all but the newest `keep` generations (never the current one) and returns what it deleted.

    The indexed changes since other generations than the current one go as well.
    """
    current = current_id(settings)
    old = [g for g in generation_ids(settings)[:-keep] if g != current] if keep else []
    for generation in old:
        (settings.generations_dir / generation).rename(settings.generations_dir / f".deleting-{generation}")
    # also of one that was killed while it deleted
    deleting = list(settings.generations_dir.glob(".deleting-*"))
    for doomed in [*deleting, *(changes for changes in settings.live_dir.glob("*") if changes.name != current)]:
        shutil.rmtree(doomed, ignore_errors=True)
    return old


def verify_current(settings: Settings) -> dict[str, Any]:
    """Checks every byte of the current generation; raises GenerationBroken or NoIndex, returns what was checked."""
    generation = current_id(settings)
    if generation is None:
        raise NoIndex(NO_INDEX)
    folder = settings.generations_dir / generation
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    Generation(folder, manifest).load()
    return {
        "generation": generation,
        "files": len(manifest["files"]),
        "size_bytes": manifest["size_bytes"],
        "recall": manifest["recall"],
        "sound": True,
    }


def read_conflicts(settings: Settings) -> list[dict[str, Any]]:
    """The items of the current generation whose picture and text disagree, least agreement first. Raises NoIndex."""
    generation = current_id(settings)
    if generation is None:
        raise NoIndex(NO_INDEX)
    return load_conflicts(settings.generations_dir / generation)


def is_stale(manifest: dict[str, Any], forgotten_ms: int) -> bool:
    """Whether events were forgotten (at `forgotten_ms` since 1970) after its click part was made of them."""
    return bool(manifest["clicked_items"] > 0 and 0 < forgotten_ms >= manifest.get("log_read_ms", 0))


def describe_current(settings: Settings) -> dict[str, Any]:
    """The fields that `index status` shows of the current generation. Raises NoIndex, GenerationBroken."""
    generation = current_id(settings)
    if generation is None:
        raise NoIndex(NO_INDEX)
    manifest = read_manifest(settings.generations_dir / generation)
    described = {k: v for k, v in manifest.items() if k not in ("files", CHECKSUM, "text_weighing", "confidence")}
    return {"generation": generation, **described, "generations": generation_ids(settings)}


def _sync_folder(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync_path(path)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
