"""Opens what searches use: the published generation with its encoder, and the catalogue's changes since."""

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.versions import read_versions
from magpie.data.errors import MagpieError, Unavailable
from magpie.data.pictures.sandbox import Decoders
from magpie.data.settings import Settings
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.generations.generation import Generation, open_encoder_of
from magpie.indexer.generations.store import open_current
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.vector_index import limit_threads
from magpie.search.live_index.compaction import Compaction
from magpie.search.live_index.delta import Delta, follow, no_changes, with_segments
from magpie.search.live_index.delta_builder import ChangedItems
from magpie.search.live_index.hit_store import HitStore
from magpie.search.live_index.resume import resume
from magpie.search.live_index.segment import Segment
from magpie.search.query.autocomplete import Completer
from magpie.search.query.parse_query import QueryParser
from magpie.search.retrieval.facets import facet_names

SERVER_CATCH_UP_S = 2.0  # what is left comes while it answers
_MOST_VALUES = 5_000  # of a column whose values are named beside suggestions
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upkeep:
    """How a process keeps up with changes: for how many seconds at most it follows them before it first answers, and
    whether it keeps larger segments of changed items as files, which one process of a home may."""

    catch_up_s: float = 20.0
    writes_segments: bool = False


NO_SERVER = Upkeep()


@dataclass(frozen=True)
class Serving:
    """All parts that a search uses; replaced as a whole, so that no search sees half of a change.

    `wanted` is the generation that `CURRENT` named when this was opened; `generation` is an earlier one where that is
    broken. `alarms` are messages for the owner.
    """

    wanted: str | None
    generation: Generation
    encoder: Encoder
    query_parser: QueryParser
    completer: Completer
    segments: list[Segment]
    delta: Delta
    changed_items: ChangedItems
    compaction: Compaction
    items: HitStore
    alarms: list[str]

    @cached_property
    def statistics(self) -> CollectionStatistics:
        """How many items of all segments together have a word."""
        return CollectionStatistics((segment.lexical, segment.dead) for segment in self.segments)

    @cached_property
    def facet_names(self) -> frozenset[str]:
        """The columns that are facets of all segments together."""
        return facet_names(self.segments)


def open_serving(
    settings: Settings,
    catalogue: Catalogue,
    wanted: str | None,
    decoders: Decoders,
    before: Serving | None,
    upkeep: Upkeep = NO_SERVER,
) -> Serving:
    """The current generation, loaded, with the catalogue's changes since; an equal encoder of `before` is kept.

    Raises NoIndex without a generation, ModelMismatch where its encoder is not available.
    """
    generation, alarms = open_current(settings)
    return serve(settings, catalogue, generation, wanted, alarms, decoders, before, upkeep)


def serve(
    settings: Settings,
    catalogue: Catalogue,
    generation: Generation,
    wanted: str | None,
    alarms: list[str],
    decoders: Decoders,
    before: Serving | None = None,
    upkeep: Upkeep = NO_SERVER,
) -> Serving:
    """The given generation, loaded, with the catalogue's changes since. Raises ModelMismatch."""
    generation.load()
    if not generation.has_words:
        log.warning(
            "generation %s: words are indexed anew; `magpie index rebuild` makes the start quicker", generation.id
        )
        generation.index_words(catalogue)
    limit_threads(1)  # requests run in parallel; more threads for each would wait for each other
    fingerprint = generation.manifest["fingerprint"]
    encoder = before.encoder if before and before.encoder.spec.fingerprint == fingerprint else None
    encoder = encoder or open_encoder_of(generation, threads=1)
    query_parser = QueryParser(encoder, generation, catalogue, settings, decoders.uploads)
    changed_items = ChangedItems(settings, catalogue, generation, encoder, decoders.catalogue, upkeep.writes_segments)
    main = main_segment(generation).as_kinds(catalogue.attribute_kinds())
    serving = Serving(
        wanted,
        generation,
        encoder,
        query_parser,
        Completer(generation.phrases, _fields_of_values(main)),
        [main],
        no_changes(generation.catalogue_revision),
        changed_items,
        Compaction(changed_items),
        HitStore(catalogue, main, generation.stored_hits),
        alarms,
    )
    # the old index goes on answering until the new one has caught up
    patience_s = NO_SERVER.catch_up_s if before else upkeep.catch_up_s
    return _caught_up(_resumed(serving, catalogue), catalogue, patience_s, before.delta.revision if before else 0)


def _resumed(serving: Serving, catalogue: Catalogue) -> Serving:
    """The serving with the segments of changed items that were kept as files, where they fit the catalogue."""
    files = serving.changed_items.files
    saved = files.load()
    delta = resume(saved, read_versions(catalogue.database, serving.delta.revision)) if saved else None
    files.remove_useless()
    if saved and delta is None:
        log.info("the kept changes of index %s are of another catalogue: indexed again", serving.generation.id)
    return _with_delta(serving, catalogue, delta, delta.segments) if delta else serving


def _caught_up(serving: Serving, catalogue: Catalogue, patience_s: float, at_least: int) -> Serving:
    """The serving after following changes for so many seconds at most, and at least up to revision `at_least`."""
    deadline = time.monotonic() + patience_s
    while True:
        before = serving.delta.revision
        try:
            serving = with_changes(serving, catalogue)
        except Unavailable as error:  # the index is served without them, and the next refresh raises the alarm
            log.error("%s", error)
            return serving
        is_behind = serving.delta.revision < at_least or time.monotonic() < deadline
        if serving.delta.is_complete or serving.delta.revision == before or not is_behind:
            return serving


def with_changes(serving: Serving, catalogue: Catalogue) -> Serving:
    """The serving after one step of following the catalogue's changes; the same object where nothing changed.

    Raises Unavailable where the changes cannot be indexed.
    """
    delta = serving.delta
    if catalogue.revision() != delta.latest or not (delta.is_complete or delta.is_full):
        try:
            delta = follow(delta, catalogue, serving.changed_items, serving.compaction.num_sealed)
        except MagpieError as error:
            raise Unavailable(f"Changes since the last rebuild are not searchable: {error}") from error
    segments = serving.compaction.advance(delta.segments)
    serving.changed_items.files.publish(segments)
    if delta is serving.delta and segments is delta.segments:
        return serving
    return _with_delta(serving, catalogue, delta, segments)


def _with_delta(serving: Serving, catalogue: Catalogue, delta: Delta, segments: tuple[Segment, ...]) -> Serving:
    """The serving with these changes, indexed by these segments, in place of its own."""
    kinds = catalogue.attribute_kinds()
    main = serving.segments[0].without(delta.dead_ids).as_kinds(kinds)
    segments = tuple(segment.as_kinds(kinds) for segment in segments)
    items = serving.items if delta is serving.delta else HitStore(catalogue, main, serving.generation.stored_hits)
    return replace(serving, segments=[main, *segments], delta=with_segments(delta, segments), items=items)


def main_segment(generation: Generation) -> Segment:
    """The segment of a generation's items, none of them dead."""
    return Segment(
        ids=generation.ids,
        parts=generation.parts,
        fused=generation.fused,
        text_weights=generation.text_weights,
        dominant_colours=generation.dominant_colours,
        fusion=generation.fusion,
        click_part=generation.click_part,
        indexes=generation.indexes,
        lexical=generation.lexical,
        columns=generation.columns,
        dead=np.zeros(generation.num_items, bool),
    )


def _fields_of_values(segment: Segment) -> dict[str, str]:
    """The field of each value of the categories and attributes, in lower case; of two, the shorter name."""
    vocabularies = segment.columns.vocabularies(_MOST_VALUES)
    return {
        value.casefold(): name
        for name in sorted(vocabularies, key=lambda name: (-len(name), name))
        if name != "title"
        for value in vocabularies[name]
    }
