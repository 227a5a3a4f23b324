"""The build of one index: the chain of steps, and the files that they end in."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from magpie.indexer.draws import draw_keys
from magpie.indexer.encoder.encode_catalogue import Progress
from magpie.indexer.fusion.average_fusion import PARTS
from magpie.indexer.fusion.halves import stand_twice
from magpie.indexer.fusion.learned_fusion import LearnedFusion
from magpie.indexer.fusion.modality_conflicts import describe_conflicts, save_conflicts
from magpie.indexer.generations.recall_check import measure_recall
from magpie.indexer.indexes.vector_index import build_index
from magpie.indexer.mix.mix import Mix
from magpie.indexer.pipeline.inputs import BuildInputs
from magpie.indexer.pipeline.steps import (
    Composition,
    EncodedItems,
    FusedItems,
    WeighedParts,
    calibrate,
    encode_items,
    fuse_items,
    learn_composition,
    measure_weights,
    weigh_parts,
)
from magpie.indexer.read_catalogue import Snapshot, read_catalogue


@dataclass(frozen=True)
class Built:
    """The result of a build: the manifest's content (`about`), and the numbers of newly encoded texts and pictures.

    `pictures_broken` maps files that could not be decoded to reasons.
    """

    about: dict[str, Any]
    texts_encoded: int = 0
    pictures_encoded: int = 0
    pictures_broken: dict[str, str] = field(default_factory=dict)


@dataclass
class StageTimes:
    """Seconds by stage of one rebuild, for its report."""

    by_stage: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def end_stage(self, name: str) -> None:
        """Counts the time since the stage before to this one."""
        self.by_stage[name] = round(self.total_s - sum(self.by_stage.values()), 3)

    @property
    def total_s(self) -> float:
        return time.perf_counter() - self.started


def build(inputs: BuildInputs, folder: Path, progress: Progress, times: StageTimes) -> Built:
    """Writes all files of an index but its manifest into the empty folder, and returns what the manifest says."""
    with closing(inputs.open_cache()) as cache:
        snapshot = read_catalogue(inputs.catalogue, inputs.encoder, cache, folder, progress, inputs.language)
        times.end_stage("texts")
        encoded = encode_items(inputs.encoder, snapshot, cache, progress)
        times.end_stage("pictures")
        keys = draw_keys(snapshot.item_ids)
        weighed = weigh_parts(encoded.parts, snapshot.num_descriptive, snapshot.columns, keys)
        fused = fuse_items(inputs, snapshot, encoded, weighed)
        composition = learn_composition(snapshot.columns, weighed.parts, encoded.encode_queries, keys)
        mix = measure_weights(inputs, snapshot, encoded, weighed, fused, cache)
        confidence = calibrate(snapshot, encoded, fused, Mix(**mix["weights"]), folder)
        times.end_stage("mix")
    items = BuiltItems(snapshot, encoded, weighed, fused, composition, inputs.index_factory)
    progress("index", 0, 1)
    items.write(folder)
    times.end_stage("index")
    queries = {"text": encoded.synthetic_queries, "image": encoded.parts["image"]}
    twice = {kind: stand_twice(rows) for kind, rows in queries.items()}
    recall = measure_recall(folder, snapshot.ids, fused.vectors, twice)
    broken = {snapshot.files[key]: reason for key, reason in encoded.pictures.failures.items()}
    about = items.describe(inputs) | {"recall": recall, "mix": mix, "confidence": confidence}
    return Built(about, snapshot.texts_encoded, encoded.pictures.num_encoded, broken)


@dataclass(frozen=True)
class BuiltItems:
    """The results of all steps, ready to be written. `factory` gives the FAISS factory string of a dense index for its
    numbers of items and of dimensions."""

    snapshot: Snapshot
    encoded: EncodedItems
    weighed: WeighedParts
    fused: FusedItems
    composition: Composition
    factory: Callable[[int, int], str]

    def write(self, folder: Path) -> None:
        """Writes the arrays, the dense indexes, the columns, the conflicts and the subspaces.

        Vectors are kept as float16, for each of text, image and fused, with a dense index of each.
        """
        snapshot, encoded, weighed, fused = self.snapshot, self.encoded, self.weighed, self.fused
        np.save(folder / "ids.npy", snapshot.ids)
        np.save(folder / "text_weights.npy", weighed.text_weights.astype(np.float32))
        np.save(folder / "tints.npy", encoded.dominant_colours)
        for name, rows in {**encoded.parts, "fused": fused.vectors}.items():
            kept = rows.astype(np.float16)  # the index has the same numbers: FAISS rounds in another way
            np.save(folder / f"{name}.npy", kept)
            index = build_index(kept, snapshot.ids, self.factory(*rows.shape))
            faiss.write_index(index, str(folder / f"{name}.faiss"))
        encoded.means.save(folder / "means.npz")
        fused.average.save(folder / "imputation.npz")
        if isinstance(fused.fusion, LearnedFusion):
            fused.fusion.save(folder / "fusion.npz")
        fused.click_part.save(folder / "clicked.npz")
        snapshot.columns.save(folder)
        images, conflicts = encoded.parts["image"], weighed.conflicts
        save_conflicts(describe_conflicts(conflicts, images, snapshot.item_ids, snapshot.titles), folder)
        self.composition.subspaces.save(folder)

    def describe(self, inputs: BuildInputs) -> dict[str, Any]:
        """The manifest's description of the build."""
        spec, encoded, weighed, fused = inputs.encoder.spec, self.encoded, self.weighed, self.fused
        present = {name: np.asarray(encoded.parts[name].any(axis=1)) for name in PARTS}
        mean_weight = weighed.mean_text_weight
        pictures = encoded.pictures
        return {
            "items": len(self.snapshot.ids),
            "items_with": {name: int(there.sum()) for name, there in present.items()},
            "model": spec.model,
            "pretrained": spec.pretrained,
            "fingerprint": spec.fingerprint,
            "dim": spec.dim,
            "parts": list(PARTS),
            "languages": list(self.snapshot.languages),
            "fusion": fused.fusion.kind,
            "fusion_weights": {"text": None if mean_weight is None else round(mean_weight, 3)},
            "fusion_judgement": dict(fused.fusion.judgement),
            "clicked_items": len(fused.click_part.ids),
            "index": self.factory(*fused.vectors.shape),
            "options": inputs.options_to_repeat(),
            "text_weighing": asdict(weighed.weighing),
            "conflicts": weighed.conflicts.about(),
            "composition": self.composition.about,
            "encoded": {
                "texts": self.snapshot.texts_encoded,
                "pictures": pictures.num_encoded,
                "pictures_cached": len(self.snapshot.files) - pictures.num_encoded - len(pictures.failures),
            },
        }
