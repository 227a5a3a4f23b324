"""The read path: a request becomes a question, the question finds candidates, their order becomes hits."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from data.catalogue import Catalogue, Item
from data.database import Database
from data.errors import MagpieError, NoIndex
from data.items import confidences
from data.settings import Settings
from indexer.columns import Columns, check_names
from indexer.generation import NO_INDEX, current_id
from indexer.lexical_index import LexicalMatches
from search.confidence import is_confident
from search.merging import Merged, check_sort, matching_rows, merge
from search.question import Question
from search.ranking import Candidates
from search.request import FacetValue, Hit, Range, SearchRequest, SearchResult
from search.retrieval import retrieve
from search.segment import Segment
from search.serving import Serving, open_serving, with_changes
from search.suggestions import complete

DEPTH = 500  # candidates per index; beyond half of it a page needs the deeper search
DEEP = 10_000
FIRST_STAGE = "first-stage"
_MAX_FACET_VALUES = 30


class SearchEngine:
    """Answers searches from the current generation and from what changed after it. Safe to share among threads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._catalogue = Catalogue(database, settings)
        self._serving: Serving | None = None
        self._changing = threading.Lock()
        self._last_fault = ""

    def search(self, request: SearchRequest) -> SearchResult:
        """The answer to a request. Raises BadQuery, BadFilter, BadPicture, TooLarge, ItemNotFound, NoIndex."""
        started = time.perf_counter()
        serving = self._current()
        segments = serving.segments
        check_fields(request, [s.columns for s in segments])
        question = serving.interpreter.interpret(request, segments)
        depth = DEPTH if request.offset + request.k <= DEPTH // 2 else DEEP
        found = [retrieve(segment, question, request.filters, depth) for segment in segments]
        candidates = [ranked for ranked, _ in found]
        matching = matching_rows(candidates, question.is_browsing)
        order = merge(candidates, matching, request.sort)
        hits = self._hits(order, request, question)
        return SearchResult(
            query_id=uuid.uuid4().hex,
            generation=serving.generation.id,
            ranker=FIRST_STAGE,
            took_ms=round(1000 * (time.perf_counter() - started), 2),
            total=max(sum(len(rows) for rows in matching), request.offset + len(hits) if hits else 0),
            confident=_confident(request, question, found, serving),
            hits=hits,
            facets=_facets(segments, matching) if request.facets else {},
            ranges=_ranges(segments, matching) if request.facets else {},
            notices=[f"Understood as: {question.corrected}"] if question.corrected else [],
        )

    def similar(self, item_id: str, k: int = 10) -> SearchResult:
        """The items most like this one, without itself. Raises ItemNotFound, NoIndex."""
        return self.search(SearchRequest(like=item_id, k=k, facets=False))

    def suggest(self, prefix: str, limit: int = 8) -> list[str]:
        """Phrases of the catalogue that complete what was typed. Raises NoIndex."""
        return complete(self._current().generation.phrases, prefix, limit)

    def status(self) -> dict[str, Any]:
        """What is being served; `ready` is False, with the reason among the alarms, where nothing can be."""
        try:
            serving = self._current()
        except MagpieError as error:
            return {"ready": False, "generation": None, "items": 0, "model": None, "alarms": [str(error)]}
        alarms = list(serving.alarms) + ([self._last_fault] if self._last_fault else [])
        if not serving.delta.is_complete:
            alarms.append("More changed since the last rebuild than is searchable at once. Run `magpie index rebuild`.")
        about = serving.generation.manifest
        return {
            "ready": True,
            "generation": serving.generation.id,
            "items": sum(int((~s.dead).sum()) for s in serving.segments),
            "model": about["model"],
            "index": about["index"],
            "created_at": about["created_at"],
            "changes_since": len(serving.delta.dead_ids),
            "alarms": alarms,
        }

    def refresh(self) -> None:
        """Takes up a newly published generation and the catalogue's changes; searches go on meanwhile.

        Raises what opening a generation raises; then what was served before stays.
        """
        with self._changing:
            wanted, before = current_id(self._settings), self._serving
            if wanted is None:
                raise NoIndex(NO_INDEX)
            try:
                if before is None or before.wanted != wanted:
                    self._serving = open_serving(self._settings, self._catalogue, wanted, before)
                else:
                    self._serving = with_changes(before, self._catalogue)
                self._last_fault = ""
            except MagpieError as error:
                self._last_fault = str(error)
                raise

    def warm_up(self) -> None:
        """Loads the index and the encoder, so that the first search does not wait for them."""
        serving = self._current()
        serving.encoder.warm_up()
        self.search(SearchRequest(text="warm up"))

    def close(self) -> None:
        """Lets go of the index; searches fail afterwards."""
        self._serving = None

    def _current(self) -> Serving:
        if self._serving is None:
            self.refresh()
        serving = self._serving
        if serving is None:
            raise NoIndex(NO_INDEX)
        return serving

    def _hits(self, order: Merged, request: SearchRequest, question: Question) -> list[Hit]:
        """The page of hits. An item deleted within the last moment is left out rather than shown empty."""
        page = range(request.offset, min(request.offset + request.k, len(order)))
        items = self._catalogue.get_many([int(order.ids[k]) for k in page])
        hits: list[Hit] = []
        for k in page:
            item = items.get(int(order.ids[k]))
            if item is not None:
                candidates, place = order.lists[order.of_list[k]], int(order.places[k])
                explained = candidates.explain(place, question) if request.explain else None
                hits.append(_hit(item, request.offset + len(hits) + 1, float(candidates.scores[place]), explained))
        return hits


def check_fields(request: SearchRequest, segments: Sequence[Columns]) -> None:
    """Raises BadFilter where the request filters or sorts by a field that no item has."""
    check_sort(request.sort, segments)
    check_names(request.filters, segments, "filter")


def _hit(item: Item, position: int, score: float, explained: dict[str, float] | None) -> Hit:
    picture = next((p.content_hash for p in item.pictures if p.status == "ok"), None)
    return Hit(
        item_id=item.item_id,
        position=position,
        score=score,
        title=item.title,
        description=item.description,
        category=item.category,
        price=item.price,
        currency=item.currency,
        url=item.url,
        image=picture,
        attributes=item.known_attributes,
        explain=explained,
        inferred=confidences(item),
    )


def _confident(
    request: SearchRequest, question: Question, found: Sequence[tuple[Candidates, LexicalMatches]], serving: Serving
) -> bool:
    if question.is_browsing or request.like:
        return any(len(ranked.rows) for ranked, _ in found)
    calibration = serving.generation.manifest["confidence"]
    return any(is_confident(request.text, matches, ranked, serving.encoder, calibration) for ranked, matches in found)


def _facets(segments: Sequence[Segment], matching: Sequence[np.ndarray]) -> dict[str, list[FacetValue]]:
    """How often each value occurs among the matching items, the most frequent first."""
    counts: dict[str, Counter[str]] = {}
    for segment, rows in zip(segments, matching, strict=True):
        for name, pairs in segment.columns.facets(rows, _MAX_FACET_VALUES).items():
            counts.setdefault(name, Counter()).update(dict(pairs))
    return {
        name: [FacetValue(value, n) for value, n in sorted(counted.items(), key=lambda p: (-p[1], p[0]))][
            :_MAX_FACET_VALUES
        ]
        for name, counted in sorted(counts.items())
    }


def _ranges(segments: Sequence[Segment], matching: Sequence[np.ndarray]) -> dict[str, Range]:
    """The smallest and largest number of each column of numbers among the matching items."""
    bounds: dict[str, list[float]] = {}
    for segment, rows in zip(segments, matching, strict=True):
        for name, pair in segment.columns.ranges(rows).items():
            bounds.setdefault(name, []).extend(pair)
    return {name: Range(min(values), max(values)) for name, values in sorted(bounds.items())}
