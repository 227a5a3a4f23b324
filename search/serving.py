"""What is being served: a generation with its encoder and the catalogue's later changes, taken up as one piece."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from data.catalogue import Catalogue
from data.errors import MagpieError
from data.picture_process import PictureProcess
from data.settings import Settings
from indexer.encoder import Encoder
from indexer.generation import Generation, open_current, open_encoder_of
from indexer.vector_index import limit_threads
from search.delta import Delta, VectorMemory, read_delta
from search.item_memory import ItemMemory
from search.question import Interpreter
from search.segment import Segment

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """Everything one search uses; replaced as a whole, so that no search sees half of a change.

    `wanted` is what `CURRENT` named when this was opened; it differs from the generation's id while that is broken.
    """

    wanted: str | None
    generation: Generation
    encoder: Encoder
    interpreter: Interpreter
    segments: list[Segment]
    delta: Delta
    memory: VectorMemory
    items: ItemMemory
    alarms: list[str]


def open_serving(
    settings: Settings, catalogue: Catalogue, wanted: str | None, decoder: PictureProcess, before: Serving | None
) -> Serving:
    """The current generation, loaded, with the catalogue's changes since. Keeps the encoder of `before` if it fits.

    Raises NoIndex without a generation, ModelMismatch where its encoder is not the one at hand.
    """
    generation, alarms = open_current(settings)
    return serve(settings, catalogue, generation, wanted, alarms, decoder, before)


def serve(
    settings: Settings,
    catalogue: Catalogue,
    generation: Generation,
    wanted: str | None,
    alarms: list[str],
    decoder: PictureProcess,
    before: Serving | None = None,
) -> Serving:
    """A generation, loaded, as `open_serving` serves it. Raises ModelMismatch."""
    generation.load()
    limit_threads(1)  # requests run side by side already; more threads each only wait for each other
    wanted_encoder = generation.manifest["fingerprint"]
    encoder = before.encoder if before and before.encoder.spec.fingerprint == wanted_encoder else None
    encoder = encoder or open_encoder_of(generation, threads=1)
    interpreter = Interpreter(encoder, generation, catalogue, settings)
    empty = Delta(generation.catalogue_revision, np.zeros(0, np.int64), None, True)
    serving = Serving(
        wanted,
        generation,
        encoder,
        interpreter,
        [main_segment(generation, empty)],
        empty,
        VectorMemory(encoder, decoder),
        ItemMemory(catalogue),
        alarms,
    )
    return with_changes(serving, catalogue)


def with_changes(serving: Serving, catalogue: Catalogue) -> Serving:
    """The same generation with the catalogue's changes up to now; the same object where there are none.

    Once there are more changes than fit, only a rebuild helps, and following them further would only cost.
    """
    if not serving.delta.is_complete or catalogue.revision() == serving.delta.revision:
        return serving
    try:
        delta = read_delta(catalogue, serving.generation, serving.memory)
    except MagpieError as error:
        log.error("Changes since the last rebuild are not searchable: %s", error)
        return serving
    segments = [main_segment(serving.generation, delta)] + ([delta.segment] if delta.segment else [])
    return replace(serving, segments=segments, delta=delta, items=ItemMemory(catalogue))


def main_segment(generation: Generation, delta: Delta) -> Segment:
    """The generation as a segment, without the rows that changed or were deleted since."""
    dead = np.zeros(generation.num_items, bool)
    dead[generation.rows_of(delta.dead_ids)] = True
    return Segment(
        ids=generation.ids,
        parts=generation.parts,
        fused=generation.fused,
        text_weights=generation.text_weights,
        fusion=generation.fusion,
        clicked=generation.clicked,
        indexes=generation.indexes,
        lexical=generation.lexical,
        columns=generation.columns,
        dead=dead,
    )
