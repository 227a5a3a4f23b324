"""Keeps the larger segments of changed items as files, so that a server that was killed is soon ready with them.

`live/<generation>/` holds a folder for each segment, and a manifest that lists the first of them in their order. Every
file has a checksum, and the manifest names what the files were made with. What does not match is not used: its items
are indexed again. One process writes, others only read.
"""

import json
import logging
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from magpie.data.home.atomic_files import write_whole
from magpie.data.settings import Settings
from magpie.indexer.generations.checksums import CHECKSUM, checksum_of, describe_files, find_fault
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.input_digest import code_digest, digest_code
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.indexes.vector_index import VectorIndex
from magpie.search.live_index.segment import Segment

_FORMAT = 1
_MANIFEST = "segments.json"
_WORDS = "words"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedSegment:
    """A segment that was opened from files, none of its items dead, and the versions of the items in it.

    `revisions` (n,) int64 and `updated_at` (n,) in seconds since 1970 are those of the items when they were indexed.
    """

    segment: Segment
    revisions: np.ndarray
    updated_at: np.ndarray


class SegmentFiles:
    """The files of one generation's segments of changed items.

    `save` is for the threads that build segments, all else for the one that follows the changes.
    """

    def __init__(self, settings: Settings, generation: Generation, is_written: bool) -> None:
        """Without `is_written`, files are only read."""
        self.is_written = is_written
        self._generation = generation
        self._live = settings.live_dir
        self._folder = settings.live_dir / generation.id
        manifest = generation.manifest
        self._made_with = {
            "format": _FORMAT,
            "generation": manifest.get(CHECKSUM) or checksum_of(manifest),
            "fingerprint": manifest["fingerprint"],
            "code": [code_digest(), digest_code([Path(__file__).parent])],
        }
        self._described: dict[str, Mapping[str, Any]] = {}  # the files of each segment by its folder's name
        self._listed: list[str] = []
        self._in_use: set[str] = set()

    def new_folder(self) -> Path:
        """An empty folder for a segment. Raises OSError."""
        self._live.mkdir(exist_ok=True)  # without its parents: a home that was moved away is not made again
        folder = self._folder / uuid.uuid4().hex[:12]
        self._folder.mkdir(exist_ok=True)
        folder.mkdir()
        return folder

    def save(self, saved: SavedSegment, folder: Path) -> Segment:
        """The same segment, read from the files that this writes.

        Raises OSError, and RuntimeError where FAISS cannot write.
        """
        segment = saved.segment
        with (folder / "rows.npz").open("wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                ids=segment.ids,
                text_weights=segment.text_weights,
                dominant_colours=segment.dominant_colours,
                revisions=saved.revisions,
                updated_at=saved.updated_at,
            )
        for name, rows in {**segment.parts, "fused": segment.fused}.items():
            np.save(folder / f"{name}.npy", rows)
            faiss.write_index(segment.indexes[name].index, str(folder / f"{name}.faiss"))
        segment.lexical.save(folder / _WORDS)
        segment.columns.save(folder)
        self._described[folder.name] = describe_files(folder)
        return self._open(folder, segment.revision).segment

    def load(self) -> list[SavedSegment]:
        """The segments that the manifest lists, the oldest first, up to the first that is not whole."""
        found: list[SavedSegment] = []
        for entry in self._entries():
            folder = self._folder / entry["folder"]
            fault = find_fault(folder, entry["files"])
            try:
                found += [] if fault else [self._open(folder, entry["revision"])]
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                fault = str(error)
            if fault:
                log.warning("%s: %s; its items are indexed again", folder, fault)
                break
            self._described[folder.name] = entry["files"]
        self._listed = [saved.segment.folder.name for saved in found if saved.segment.folder]
        self._in_use = set(self._listed)
        return found

    def publish(self, segments: Sequence[Segment]) -> None:
        """Lists those of the segments that are files, up to the first that is not, and removes files of no use."""
        if not self.is_written:
            return
        saved = list(takewhile(lambda segment: segment.folder is not None, segments))
        names = [segment.folder.name for segment in saved if segment.folder]
        before, self._in_use = self._in_use, {one.folder.name for one in segments if one.folder}
        try:
            if names != self._listed:
                self._listed = names  # also where writing fails: it is tried again with the next segment
                self._write(saved)
        except OSError as error:
            log.warning("%s: which changed items are indexed cannot be kept there (%s)", self._folder, error)
        for name in before - self._in_use:
            self._described.pop(name, None)
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def remove_useless(self) -> None:
        """Removes what is not of this generation, and what no manifest lists; for when nothing is being built yet."""
        if not self.is_written or not self._live.is_dir():
            return
        others = [path for path in self._live.iterdir() if path != self._folder]
        own = self._folder.iterdir() if self._folder.is_dir() else ()
        for path in [*others, *(path for path in own if path.is_dir() and path.name not in self._listed)]:
            shutil.rmtree(path, ignore_errors=True)

    def _write(self, saved: Sequence[Segment]) -> None:
        entries = [
            {"folder": one.folder.name, "revision": one.revision, "files": self._described[one.folder.name]}
            for one in saved
            if one.folder
        ]
        manifest = {"made_with": self._made_with, "segments": entries}
        text = json.dumps({**manifest, CHECKSUM: checksum_of(manifest)})
        self._folder.stat()  # raises where the home was moved away
        write_whole(self._folder / _MANIFEST, text.encode())

    def _entries(self) -> list[dict[str, Any]]:
        """The manifest's entries; none where it is missing, altered, or of files made with something else."""
        path = self._folder / _MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
            is_whole = manifest[CHECKSUM] == checksum_of(manifest)
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: cannot be read (%s); its items are indexed again", path, error)
            return []
        if not is_whole or manifest["made_with"] != self._made_with:
            log.info("%s: is of another index or version; its items are indexed again", path)
            return []
        entries: list[dict[str, Any]] = manifest["segments"]
        return entries

    def _open(self, folder: Path, revision: int) -> SavedSegment:
        """The segment in the folder, its vectors mapped from disk."""
        with np.load(folder / "rows.npz") as arrays:
            rows = {name: arrays[name] for name in arrays.files}
        ids, generation = rows["ids"], self._generation
        names = (*generation.manifest["parts"], "fused")
        vectors = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in names}
        segment = Segment(
            ids=ids,
            parts={name: vectors[name] for name in generation.manifest["parts"]},
            fused=vectors["fused"],
            text_weights=rows["text_weights"],
            dominant_colours=rows["dominant_colours"],
            fusion=generation.fusion,
            click_part=generation.click_part,
            indexes={name: VectorIndex.load(folder / f"{name}.faiss", ids, vectors[name]) for name in names},
            lexical=LexicalIndex.open(folder / _WORDS),
            columns=Columns.load(folder),
            dead=np.zeros(len(ids), bool),
            revision=revision,
            folder=folder,
        )
        return SavedSegment(segment, rows["revisions"], rows["updated_at"])
