"""Answers searches, the read path: first stage, ranker, personalisation, the page of hits, facets."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from magpie.data.aggregates.blocked_phrases import holds_phrase, read_blocked_phrases
from magpie.data.aggregates.recent_choices import read_recent_choices
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.erasure.erase import forgotten_at
from magpie.data.errors import ItemNotIndexed, MagpieError, NoIndex
from magpie.data.events.signed_query_ids import open_query_ids
from magpie.data.pictures.sandbox import Decoders
from magpie.data.settings import Settings
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.store import NO_INDEX, current_id
from magpie.indexer.indexes.attribute_columns import Columns, check_names
from magpie.indexer.indexes.field_filter import FilterValue
from magpie.search.click_models.saved_bias import flattest_position_bias
from magpie.search.first_stage import FirstStageResult, run_first_stage
from magpie.search.live_index.hit_store import hit_of
from magpie.search.live_index.passing_items import PassingItems, find_passing
from magpie.search.live_index.segment import Segment
from magpie.search.personalisation.freshness import Freshness
from magpie.search.personalisation.personalise import Preferences, personalise, preferences_of
from magpie.search.personalisation.popularity import Popularity
from magpie.search.personalisation.taste import read_taste
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.ranker.named_rankings import CURRENT, FIRST_STAGE, compared_versions
from magpie.search.ranker.reranker import Reranked, Reranker
from magpie.search.request import FacetValue, Hit, Range, SearchRequest, SearchResult
from magpie.search.retrieval.confidence import is_confident
from magpie.search.retrieval.facet_values import check_has_values, count_values, most_frequent
from magpie.search.retrieval.facets import (
    MOST_RECOUNTED,
    count_facets,
    fields_to_recount,
    find_ranges,
    find_without_each_filter,
)
from magpie.search.retrieval.price_preference import prefer_low_prices
from magpie.search.retrieval.ranked_list import RankedList, check_sort
from magpie.search.serving import NO_SERVER, Serving, Upkeep, open_serving, serve, with_changes
from magpie.search.status import describe_status, not_ready
from magpie.search.suggestions import Suggestion, suggest

log = logging.getLogger(__name__)
_SPARE_SUGGESTIONS = 20  # that are found beyond those wanted, to take the place of blocked ones
_CURRENT_GONE = "is gone; the index is served until the server ends, so run `magpie index rebuild`"


class SearchEngine:
    """Answers searches from the current generation and the changes since. Safe to share among threads."""

    def __init__(self, settings: Settings, database: Database, upkeep: Upkeep = NO_SERVER) -> None:
        self._settings = settings
        self._upkeep = upkeep
        self._database = database
        self.decoders = Decoders.opened()
        self._catalogue = Catalogue(database, settings, self.decoders.catalogue)
        self._query_ids = open_query_ids(database)
        self.popularity = Popularity(database, settings.min_clients, partial(flattest_position_bias, settings))
        self._serving: Serving | None = None
        self._taste = read_taste(settings)
        self._reranker = Reranker(settings, compared_versions(settings))
        self._freshness = Freshness(self._catalogue, settings.freshness_weight, settings.freshness_half_life_days)
        self._changing = threading.Lock()
        self._last_fault = ""
        self._forgotten_ms = 0

    @classmethod
    def of_generation(cls, settings: Settings, database: Database, generation: Generation) -> "SearchEngine":
        """An engine on this generation, published or not. Raises ModelMismatch."""
        engine = cls(settings, database)
        engine._serving = serve(settings, engine._catalogue, generation, None, [], engine.decoders)
        return engine

    def search(self, request: SearchRequest) -> SearchResult:
        """The hits, facets and ranges of a request.

        Raises BadQuery, BadFilter, UnknownField, BadPicture, TooLarge, ItemNotFound, NoIndex.
        """
        started = time.perf_counter()
        serving = self.serving
        segments = serving.segments
        check_fields(request, [s.columns for s in segments])
        found = run_first_stage(serving, request)
        reranked = self._reranker.rerank(found.ranked, request, found.parsed)
        order = self._personalised(reranked, request, found, segments)
        hits = _hits(serving, order, reranked, request, found.parsed)
        facets, ranges, categories = _facets(serving, request, found)
        reading = found.parsed.reading
        return SearchResult(
            query_id=self._query_ids.new(),
            generation=serving.generation.id,
            ranker=reranked.ranker,
            took_ms=round(1000 * (time.perf_counter() - started), 2),
            total=found.total,
            confident=_confident(request, found, serving),
            hits=hits,
            facets=facets,
            ranges=ranges,
            notices=_notices(request, reading.corrected),
            understood=list(reading.understood),
            corrected=reading.corrected,
            did_you_mean=reading.did_you_mean,
            categories=categories,
        )

    def totals(self, requests: Sequence[SearchRequest]) -> list[int]:
        """How many items match each request, 0 where none answers well; one that differs from the request before it
        in its filters alone is not parsed, and its words not matched, again. Raises as `search`."""
        serving, totals = self.serving, list[int]()
        found: FirstStageResult | None = None
        for before, request in zip([None, *requests], requests, strict=False):
            is_alike = before is not None and replace(before, filters=request.filters) == request
            found = run_first_stage(serving, request, before=found if is_alike else None)
            totals.append(found.total if _confident(request, found, serving) else 0)
        return totals

    def passing(self, filters: Mapping[str, FilterValue]) -> PassingItems:
        """The items that pass all the filters now, what was just changed included.

        Raises UnknownField, BadFilter, NoRange, NotTogether, NoIndex.
        """
        serving = self.serving
        return find_passing(self._catalogue, serving.segments, serving.delta.revision, filters)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the serving encoder. Raises NoIndex."""
        return str(self.serving.generation.manifest["fingerprint"])

    def ranks_by(self, ranking: str) -> bool:
        """Whether this ranking is available: "first-stage", "current", or a compared ranker version. Raises NoIndex."""
        has_loaded = self.serving is not None  # the first access loads the rankers too
        return has_loaded and (ranking in (FIRST_STAGE, CURRENT) or self._reranker.has(ranking))

    def first_stage(self, request: SearchRequest) -> tuple[ParsedQuery, RankedList]:
        """The parsed query and all candidates in order, without anything learned from clicks. Raises as `search`."""
        found = run_first_stage(self.serving, request)
        return found.parsed, found.ranked

    def similar(self, item_id: str, k: int = 10) -> SearchResult:
        """The `k` items most similar to this one, without itself; none, with a notice, while the index lacks it.

        Raises ItemNotFound for an item that is not in the catalogue, NoIndex.
        """
        try:
            return self.search(SearchRequest(like=item_id, k=k, facets=False))
        except ItemNotIndexed as error:
            generation = self.serving.generation.id
            return SearchResult(self._query_ids.new(), generation, FIRST_STAGE, 0.0, 0, False, [], notices=[str(error)])

    def facet_values(self, field: str, request: SearchRequest, prefix: str = "") -> list[FacetValue]:
        """All values of a field among the items that match the request and pass its filters, the most frequent first;
        with a `prefix` only those in which a word begins with it. Raises UnknownField, and as `search`."""
        serving = self.serving
        check_fields(request, [segment.columns for segment in serving.segments])
        check_has_values(serving.segments, field)
        found = run_first_stage(serving, request)
        return most_frequent(count_values(serving.segments, found.matching, field), prefix)

    def finish(self, text: str) -> str:
        """The typed text with its unfinished last word completed from the catalogue's words. Raises NoIndex."""
        return self.serving.query_parser.finish(text, self.serving.segments)

    def suggest(self, prefix: str, limit: int = 8) -> list[Suggestion]:
        """At most `limit` completions of `prefix`, each with an item that has its words; none that the owner blocked.

        Raises NoIndex.
        """
        blocked = read_blocked_phrases(self._database)
        wanted = limit + _SPARE_SUGGESTIONS if blocked else limit
        found = suggest(self.serving, self.popularity.searched, prefix, wanted)
        return [one for one in found if not holds_phrase(one[0].text, blocked)][:limit]

    def status(self) -> dict[str, Any]:
        """The status as `describe_status` gives it; `ready` is False, with the reason as alarm, without an index."""
        try:
            serving = self.serving
        except MagpieError as error:
            return not_ready(str(error))
        return describe_status(serving, self._reranker, self._forgotten_ms, self._last_fault)

    def refresh(self) -> None:
        """Loads a newly published generation, the catalogue's changes and the ranker; searches continue meanwhile.

        Raises NoIndex, ModelMismatch and other MagpieErrors of opening a generation; the previous one then stays.
        """
        with self._changing:
            current, before = current_id(self._settings), self._serving
            try:
                if before is None or current not in (None, before.wanted):
                    if current is None:
                        raise NoIndex(NO_INDEX)
                    self._serving = open_serving(
                        self._settings, self._catalogue, current, self.decoders, before, self._upkeep
                    )
                else:
                    self._serving = with_changes(before, self._catalogue)
                self._forgotten_ms = forgotten_at(self._database)
                self._freshness.refresh()
                self._taste = read_taste(self._settings)
                self._reranker.refresh(self._serving.generation.manifest["fingerprint"])
                self._last_fault = "" if current else f"{self._settings.current_file}: {_CURRENT_GONE}"
            except MagpieError as error:
                self._last_fault = str(error)
                raise

    def warm_up(self) -> None:
        """Loads index, encoder and picture decoder, so that the first search does not wait for them. Raises NoIndex."""
        serving = self.serving
        serving.encoder.warm_up()
        self.decoders.uploads.start()
        self.search(SearchRequest(text="warm up"))

    def close(self) -> None:
        """Releases the index and stops the decoders; the engine is not used afterwards."""
        self._serving = None
        self.decoders.close()

    @property
    def serving(self) -> Serving:
        """What searches use now: generation, changes, encoder; loaded on first access. Raises NoIndex."""
        if self._serving is None:
            self.refresh()
        serving = self._serving
        if serving is None:
            raise NoIndex(NO_INDEX)
        return serving

    def _personalised(
        self, reranked: Reranked, request: SearchRequest, found: FirstStageResult, segments: Sequence[Segment]
    ) -> RankedList:
        """The order with addends for low prices (where wished for), freshness and what the searcher prefers; a drawn
        order is left unchanged."""
        if reranked.chances is not None:
            return reranked.order
        order = prefer_low_prices(reranked.order, request, found.parsed)
        order = self._freshness.freshen(order, request, found.parsed, time.time())
        return personalise(order, request, found.parsed, segments, self._preferences(request), self._taste)

    def _preferences(self, request: SearchRequest) -> Preferences | None:
        """The searcher's preferences from recent choices; None without an id, without choices, or without `rerank`."""
        if not (request.session_id or request.client_id) or not request.rerank:
            return None
        return preferences_of(read_recent_choices(self._database, request.session_id, request.client_id), now_ms())


def check_fields(request: SearchRequest, segments: Sequence[Columns]) -> None:
    """Checks the fields to filter and sort by. Raises UnknownField where no item has one."""
    check_sort(request.sort, segments)
    check_names(request.filters, segments, "filter")


def _notices(request: SearchRequest, corrected: str) -> list[str]:
    """What the searcher should know of how the request was answered."""
    notices = [f"Understood as: {corrected}"] if corrected else []
    if request.facets and (others := fields_to_recount(request.filters)[MOST_RECOUNTED:]):
        notices.append(
            f"More than {MOST_RECOUNTED} fields are filtered by: facets and ranges of {', '.join(others)} hold what "
            "their own filters leave."
        )
    return notices


def _facets(
    serving: Serving, request: SearchRequest, found: FirstStageResult
) -> tuple[dict[str, list[FacetValue]], dict[str, Range], dict[str, int]]:
    """Facets and ranges of what matches, and the counts of all categories where they are asked for; nothing where the
    request wants none, or where they cannot be counted."""
    if not request.facets:
        return {}, {}, {}
    segments = serving.segments
    try:
        unfiltered = find_without_each_filter(segments, found.matches, request.filters)
        facets = count_facets(segments, serving.facet_names, found.matching, unfiltered, request.filters)
        matching = unfiltered.get("category", found.matching)
        categories = count_values(segments, matching, "category") if request.count_categories else {}
        return facets, find_ranges(segments, found.matching, unfiltered), categories
    except MagpieError:
        raise
    except Exception:  # whatever a stored value does to them, the hits are right
        log.exception("facets of %r could not be counted: the answer goes without", request.filters)
        return {}, {}, {}


def _hits(
    serving: Serving, order: RankedList, reranked: Reranked, request: SearchRequest, parsed: ParsedQuery
) -> list[Hit]:
    """The requested page of hits. An item that was deleted since retrieval is left out."""
    page = range(request.offset, min(request.offset + request.k, len(order)))
    stored = serving.items.get_many(order.ids[page.start : page.stop].tolist())
    explained = order.explain(page, parsed) if request.explain else [None] * len(page)
    hits: list[Hit] = []
    for k, addends in zip(page, explained, strict=True):
        one = stored.get(int(order.ids[k]))
        if one is not None:
            position = request.offset + len(hits) + 1
            inputs = reranked.inputs_of(one.id, order.first_stage_score(k))
            hits.append(
                hit_of(one, position, order.score(k), order.dominant_colour(k), addends, inputs, reranked.chance_at(k))
            )
    return hits


def _confident(request: SearchRequest, found: FirstStageResult, serving: Serving) -> bool:
    if found.parsed.is_browsing or request.like or not found.total:
        return found.total > 0
    calibration = serving.generation.manifest["confidence"]
    pairs = zip(found.retrieved, found.candidates, strict=True)
    return any(is_confident(found.parsed, each.lexical, ranked, calibration) for each, ranked in pairs)
