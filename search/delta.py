"""What changed in the catalogue after the served generation: rows that died in it, and a small segment of new ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.catalogue import Catalogue, Item, Picture
from data.errors import BadPicture, TooLarge
from data.picture_process import PictureProcess
from indexer.columns import ColumnsBuilder
from indexer.decoding import decode_views
from indexer.encoder import Encoder, unit_rows
from indexer.frames import pool_frames
from indexer.fusion import fuse
from indexer.generation import Generation
from indexer.item_text import ItemText
from indexer.lexical_index import LexicalIndexBuilder
from indexer.training.lexicon import load_lexicon
from indexer.vector_index import EXACT, VectorIndex, build_index
from search.segment import Segment

MOST_CHANGES = 2_000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delta:
    """The changes between a generation's revision and `revision`. `segment` is None where nothing was added.

    `is_complete` is False when there are more than fit: then the index wants a rebuild.
    """

    revision: int
    dead_ids: np.ndarray
    segment: Segment | None
    is_complete: bool


class VectorMemory:
    """Vectors made for earlier deltas, so that every change is encoded once; for one encoder and one thread."""

    def __init__(self, encoder: Encoder, decoder: PictureProcess) -> None:
        self.encoder = encoder
        self._decoder = decoder
        self._texts: dict[str, np.ndarray] = {}
        self._pictures: dict[str, np.ndarray] = {}

    def of_texts(self, texts: Sequence[ItemText]) -> np.ndarray:
        """(n, dim) text vectors as a rebuild makes them."""
        segments = [text.segments() for text in texts]
        new = list({s.text for of_item in segments for s in of_item} - self._texts.keys())
        self._texts.update(zip(new, self.encoder.encode_texts(new), strict=True))
        pooled = np.zeros((len(texts), self.encoder.spec.dim), np.float32)
        for row, of_item in enumerate(segments):
            for segment in of_item:
                pooled[row] += segment.weight * self._texts[segment.text]
        return unit_rows(pooled)

    def of_pictures(self, items: Sequence[Item]) -> np.ndarray:
        """(n, dim) picture vectors; a picture that cannot be decoded is logged and left out."""
        pooled = np.zeros((len(items), self.encoder.spec.dim), np.float32)
        for row, item in enumerate(items):
            for picture in item.pictures:
                if picture.status == "ok":
                    pooled[row] += self._of_picture(picture, item.item_id)
        return unit_rows(pooled)

    def _of_picture(self, picture: Picture, item_id: str) -> np.ndarray:
        if picture.content_hash not in self._pictures:
            wanted = self.encoder.spec.preprocessing
            try:
                views = self._decoder.run(str(picture.path), decode_views, picture.path, wanted)
                vector = pool_frames([picture.content_hash] * len(views), self.encoder.encode_pictures(views))[1][0]
            except (BadPicture, TooLarge) as error:
                log.warning("%s is searchable without a picture: %s", item_id, error)
                vector = np.zeros(self.encoder.spec.dim, np.float32)
            self._pictures[picture.content_hash] = vector
        return self._pictures[picture.content_hash]


def read_delta(catalogue: Catalogue, generation: Generation, memory: VectorMemory) -> Delta:
    """The catalogue's changes since the generation was built, encoded as the rebuild would encode them."""
    changes = catalogue.changes_since(generation.catalogue_revision, MOST_CHANGES)
    items = sorted(changes.items, key=lambda item: item.id)
    dead = np.array([item.id for item in items] + changes.deleted_ids, np.int64)
    segment = _index_items(items, catalogue, generation, memory) if items else None
    return Delta(changes.revision, dead, segment, changes.complete)


def _index_items(items: Sequence[Item], catalogue: Catalogue, generation: Generation, memory: VectorMemory) -> Segment:
    means, texts = generation.means, [generation.text_plan.read(item) for item in items]
    columns, lexical = ColumnsBuilder(catalogue.attribute_kinds()), LexicalIndexBuilder(None)
    for item, text in zip(items, texts, strict=True):
        columns.add(item)
        lexical.add(text.searched_fields())
    parts = {
        "text": means.centre("text", memory.of_texts(texts)),
        "image": means.centre("image", memory.of_pictures(items)),
    }
    words = load_lexicon().single_words()
    told = np.array([text.count_descriptive(words) for text in texts])
    weights = generation.text_weighing.weigh(parts, told)
    ids = np.array([item.id for item in items], np.int64)
    fused = generation.clicked.lean(ids, fuse(generation.fusion.contributions(parts, weights)))
    vectors = {"fused": fused, **parts}
    return Segment(
        ids=ids,
        parts=parts,
        fused=fused,
        text_weights=weights,
        fusion=generation.fusion,
        clicked=generation.clicked,
        indexes={name: VectorIndex(build_index(rows, ids, EXACT), ids, rows) for name, rows in vectors.items()},
        lexical=lexical.finish(),
        columns=columns.build(),
        dead=np.zeros(len(ids), bool),
    )
