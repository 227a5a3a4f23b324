"""What changed in the catalogue after the served generation: rows that died in it, and a small segment of new ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.catalogue import Catalogue, Item
from data.errors import BadPicture, TooLarge
from data.pictures import open_picture
from indexer.columns import ColumnsBuilder
from indexer.encoder import Encoder, unit_rows
from indexer.fusion import fuse
from indexer.generation import Generation
from indexer.lexical_index import LexicalIndexBuilder
from indexer.preprocessing import prepare_picture
from indexer.vector_index import EXACT, VectorIndex, build_index
from search.segment import Segment

MOST_CHANGES = 2_000
_MAX_PIXELS = 200_000_000
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


def read_delta(catalogue: Catalogue, generation: Generation, encoder: Encoder) -> Delta:
    """The catalogue's changes since the generation was built, encoded as the rebuild would encode them."""
    changes = catalogue.changes_since(generation.catalogue_revision, MOST_CHANGES)
    items = sorted(changes.items, key=lambda item: item.id)
    dead = np.array([item.id for item in items] + changes.deleted_ids, np.int64)
    segment = _index_items(items, catalogue, generation, encoder) if items else None
    return Delta(changes.revision, dead, segment, changes.complete)


def _index_items(items: Sequence[Item], catalogue: Catalogue, generation: Generation, encoder: Encoder) -> Segment:
    plan, means = generation.text_plan, generation.means
    columns, lexical = ColumnsBuilder(catalogue.attribute_kinds()), LexicalIndexBuilder(None)
    for item in items:
        columns.add(item)
        lexical.add(plan.searched_fields(item))
    parts = {
        "text": means.centre("text", _encode_texts(items, generation, encoder)),
        "image": means.centre("image", _encode_pictures(items, encoder)),
    }
    weights = generation.text_weighing.weigh(parts)
    fused = fuse(parts, {"text": weights, "image": 1 - weights})
    ids = np.array([item.id for item in items], np.int64)
    vectors = {"fused": fused, **parts}
    return Segment(
        ids=ids,
        parts=parts,
        fused=fused,
        text_weights=weights,
        indexes={name: VectorIndex(build_index(rows, ids, EXACT), ids, rows) for name, rows in vectors.items()},
        lexical=lexical.finish(),
        columns=columns.build(),
        dead=np.zeros(len(ids), bool),
    )


def _encode_texts(items: Sequence[Item], generation: Generation, encoder: Encoder) -> np.ndarray:
    pooled = np.zeros((len(items), encoder.spec.dim), np.float32)
    for row, item in enumerate(items):
        segments = generation.text_plan.segments(item)
        if segments:
            vectors = encoder.encode_texts([s.text for s in segments])
            pooled[row] = np.array([s.weight for s in segments], np.float32) @ vectors
    return unit_rows(pooled)


def _encode_pictures(items: Sequence[Item], encoder: Encoder) -> np.ndarray:
    wanted = encoder.spec.preprocessing
    pooled = np.zeros((len(items), encoder.spec.dim), np.float32)
    for row, item in enumerate(items):
        for picture in item.pictures:
            if picture.status != "ok":
                continue
            try:
                image = open_picture(picture.path, _MAX_PIXELS, (wanted.width, wanted.height))
            except (BadPicture, TooLarge) as error:
                log.warning("%s is indexed without a picture: %s", item.item_id, error)
                continue
            pooled[row] += encoder.encode_pictures(prepare_picture(image, wanted)[None])[0]
    return unit_rows(pooled)
