"""One published index, opened for reading: its vectors, words, columns and settings, each loaded when first used."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.errors import ModelMismatch
from magpie.indexer.composition.attribute_subspaces import AttributeSubspaces
from magpie.indexer.encoder.dominant_colour import NO_COLOUR
from magpie.indexer.encoder.encoder import Encoder, open_encoder
from magpie.indexer.fusion.average_fusion import Fusion, Means, TextWeighing
from magpie.indexer.fusion.click_part import ClickPart
from magpie.indexer.fusion.learned_fusion import LearnedFusion
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.indexes.stored_hits import StoredHits
from magpie.indexer.indexes.vector_index import VectorIndex
from magpie.indexer.read_catalogue import index_words
from magpie.indexer.text.completion_phrases import load_phrases
from magpie.indexer.text.item_text import TextPlan


@dataclass(frozen=True)
class Generation:
    """A generation opened for reading; its parts are loaded when first used and may be shared among threads."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def num_items(self) -> int:
        return int(self.manifest["items"])

    @property
    def catalogue_revision(self) -> int:
        """The state of the catalogue that this index shows; later changes are not in it."""
        return int(self.manifest["catalogue_revision"])

    @cached_property
    def ids(self) -> np.ndarray:
        """(n,) int64 `items.id` in row order, ascending."""
        return np.load(self.folder / "ids.npy")

    @cached_property
    def parts(self) -> dict[str, np.ndarray]:
        """Centred unit vectors by part, (n, dim) float16, mapped from disk; a zero row lacks the part."""
        return {name: _map(self.folder / f"{name}.npy") for name in self.manifest["parts"]}

    @cached_property
    def fused(self) -> np.ndarray:
        """(n, 2·dim) float16 fused rows, mapped from disk; a zero row has neither text nor picture.

        They are (n, dim) sums of the halves where an older Magpie built this.
        """
        return _map(self.folder / "fused.npy")

    @cached_property
    def text_weights(self) -> np.ndarray:
        """(n,) float32: the weight of an item's text in its fused vector; its picture has the rest of 1."""
        return np.load(self.folder / "text_weights.npy")

    @cached_property
    def dominant_colours(self) -> np.ndarray:
        """(n, 3) uint8 red, green and blue of each item's first picture; white without one, and where an older Magpie
        built this."""
        path = self.folder / "tints.npy"
        return np.load(path) if path.is_file() else np.full((self.num_items, 3), NO_COLOUR, np.uint8)

    @cached_property
    def indexes(self) -> dict[str, VectorIndex]:
        """The dense indexes by name: fused, and one for each part."""
        vectors = {"fused": self.fused, **self.parts}
        return {name: VectorIndex.load(self.folder / f"{name}.faiss", self.ids, rows) for name, rows in vectors.items()}

    @cached_property
    def means(self) -> Means:
        return Means.load(self.folder / "means.npz")

    @cached_property
    def lexical(self) -> LexicalIndex:
        """The lexical index; an empty one where an older Magpie built this, until `index_words`."""
        return LexicalIndex.open(self.folder / "words") if self.has_words else LexicalIndexBuilder().finish()

    @property
    def has_words(self) -> bool:
        """Whether there is a lexical index that this Magpie reads."""
        return (self.folder / "words").is_dir()

    def index_words(self, catalogue: Catalogue) -> None:
        """Indexes in memory the words that the generation's items have in the catalogue now."""
        vars(self)["lexical"] = index_words(catalogue, self.ids, self.text_plan)

    @cached_property
    def attribute_subspaces(self) -> AttributeSubspaces:
        return AttributeSubspaces.load(self.folder)

    @cached_property
    def text_plan(self) -> TextPlan:
        return TextPlan.load(self.folder / "text_plan.json")

    @cached_property
    def phrases(self) -> list[tuple[str, int]]:
        """The completion phrases with the number of items they occur in, in alphabetical order."""
        return load_phrases(self.folder / "phrases.json")

    @property
    def text_weighing(self) -> TextWeighing:
        return TextWeighing(**self.manifest["text_weighing"])

    @cached_property
    def fusion(self) -> Fusion:
        """The fusion of this generation, which also fuses items that change later."""
        path = self.folder / "fusion.npz"
        return LearnedFusion.load(path) if path.is_file() else ImputedAverage.load(self.folder / "imputation.npz")

    @cached_property
    def click_part(self) -> ClickPart:
        """The part of the fused vectors that comes from the queries that led people to the items."""
        path = self.folder / "clicked.npz"
        return ClickPart.load(path) if path.is_file() else ClickPart.nothing(int(self.manifest["dim"]))

    @cached_property
    def stored_hits(self) -> StoredHits | None:
        """The fields that hits show, by row; None where an older Magpie built this."""
        return StoredHits.open(self.folder)

    @cached_property
    def columns(self) -> Columns:
        return Columns.load(self.folder)

    def load(self) -> "Generation":
        """Loads every part now, so that no request waits for it."""
        _ = self.ids, self.parts, self.fused, self.text_weights, self.indexes, self.means, self.lexical, self.columns
        _ = self.attribute_subspaces, self.text_plan, self.phrases, self.fusion, self.click_part
        _ = self.dominant_colours, self.stored_hits
        return self

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """The rows of these `items.id`, those that are in this generation only."""
        at = np.searchsorted(self.ids, ids)
        at = np.minimum(at, max(0, len(self.ids) - 1))
        return at[self.ids[at] == ids] if len(self.ids) else np.zeros(0, np.int64)


def open_encoder_of(generation: Generation, threads: int | None = None) -> Encoder:
    """The encoder that made the generation's vectors; `threads` as for `open_encoder`.

    Raises ModelMismatch where the model of that name is another one now, and what `open_encoder` raises.
    """
    about = generation.manifest
    home = generation.folder.parent.parent
    encoder = open_encoder(about["model"], about["pretrained"], threads, home)
    if encoder.spec.fingerprint != about["fingerprint"]:
        raise ModelMismatch(
            f"Generation {generation.id} was built with another {about['model']} (fingerprint {about['fingerprint']}, "
            f"now {encoder.spec.fingerprint}). Run `magpie index rebuild`, or put the old model back."
        )
    return encoder


def _map(path: Path) -> np.ndarray:
    """The array in the file, mapped from disk; a plain array, whose rows are taken quicker than np.memmap's."""
    return np.asarray(np.load(path, mmap_mode="r"))
