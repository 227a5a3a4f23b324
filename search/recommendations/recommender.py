"""Recommends hits for a person or beside an item, from the index, the click log and the catalogue."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from heapq import nlargest

import numpy as np

from magpie.data.aggregates.co_clicks import count_co_clicks
from magpie.data.aggregates.recent_choices import BOUGHT, chosen_items, read_recent_choices
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.errors import ItemNotFound
from magpie.data.events.signed_query_ids import open_query_ids
from magpie.search.engine import SearchEngine
from magpie.search.live_index.hit_store import hit_of
from magpie.search.live_index.segment import dominant_colour_of
from magpie.search.personalisation.personalise import Preferences, preferences_of
from magpie.search.recommendations.candidate_models import (
    STARTS,
    Mix,
    Recommended,
    recommend_for_choices,
    recommend_popular,
    together_scores,
)
from magpie.search.recommendations.learned_mix import learn_mix
from magpie.search.request import SearchResult

_MOST_POPULAR = 300
_WAITING = 100  # newest items, and as many random ones, among which cold items are looked for


@dataclass(frozen=True)
class Recommendation:
    """The hits, and the positions (1-based) that were given to hardly shown items."""

    result: SearchResult
    new_positions: tuple[int, ...] = ()


class Recommender:
    """Recommends from the serving index and the current log. Safe to share among threads."""

    def __init__(self, database: Database, catalogue: Catalogue, engine: SearchEngine) -> None:
        self._database = database
        self._catalogue = catalogue
        self._engine = engine
        self._query_ids = open_query_ids(database)
        self._mix = Mix()

    def learn(self) -> Mix:
        """Learns from the log's latest visits how to mix likeness and co-clicks, and returns that. Raises NoIndex."""
        self._mix = learn_mix(self._database, self._catalogue, self._engine.serving.segments, self._engine.popularity)
        return self._mix

    def beside(self, item_id: str, k: int = 10, client_id: str = "", session_id: str = "") -> Recommendation:
        """At most `k` items similar to an item or chosen together with it, without items that this client bought.

        Raises ItemNotFound, NoIndex.
        """
        found = self._catalogue.ids_of([item_id])
        if item_id not in found:
            raise ItemNotFound(f"There is no item {item_id!r} to recommend for.")
        bought = chosen_items(self._database, session_id, client_id, BOUGHT)
        this = Preferences(np.array([found[item_id]]), np.ones(1, np.float32))
        return self._present(self._for_choices(this, {}, bought, k), "recommend-item")

    def for_person(self, client_id: str, session_id: str = "", k: int = 10) -> Recommendation:
        """At most `k` items for a person's recent choices, without the chosen ones; popular items without choices.

        Raises NoIndex.
        """
        rates = self._engine.popularity.rates
        popular = self._by_number(dict(nlargest(max(_MOST_POPULAR, 2 * k), rates.items(), key=lambda pair: pair[1])))
        preferences = preferences_of(read_recent_choices(self._database, session_id, client_id), now_ms())
        chosen = chosen_items(self._database, session_id, client_id)
        if preferences is not None:
            highest = max(popular.values(), default=1.0)
            liked = {one: rate / highest for one, rate in popular.items()}
            found = self._for_choices(preferences, liked, chosen, k)
            if len(found.ids):
                return self._present(found, "recommend-taste")
        cold = self._cold_items(client_id or session_id)
        shown = recommend_popular(self._engine.serving.segments, popular, cold, chosen, k)
        return self._present(shown, "recommend-popular")

    def _for_choices(
        self, preferences: Preferences, popularity: Mapping[int, float], excluded: set[int], k: int
    ) -> Recommended:
        strongest = preferences.ids[np.argsort(-preferences.weights, kind="stable")[:STARTS]]
        starts = self._catalogue.get_many([int(one) for one in strongest])
        together = {number: self._together(item.item_id) for number, item in starts.items()}
        segments = self._engine.serving.segments
        return recommend_for_choices(segments, preferences, together, popularity, excluded, k, self._mix.likeness)

    def _together(self, item_id: str) -> dict[int, float]:
        """Co-click scores with this item by `items.id`, without promoted items."""
        popularity = self._engine.popularity
        people = count_co_clicks(self._database, item_id)
        scores = together_scores(people, item_id, popularity.counts, self._mix.doubt)
        return self._by_number({other: score for other, score in scores.items() if other not in popularity.promoted})

    def _cold_items(self, who: str) -> list[int]:
        """The `items.id` of hardly shown items in random order, the same for a person all day; none without an id."""
        if not who:
            return []
        seed = blake2b(f"{datetime.now(UTC).date()}\0{who}".encode(), digest_size=8).digest()
        chance = random.Random(int.from_bytes(seed, "big"))
        living = np.sort(
            np.concatenate([segment.ids[~segment.dead] for segment in self._engine.serving.segments])
        ).tolist()
        waiting = {*living[-_WAITING:], *chance.sample(living, min(_WAITING, len(living)))}
        items = self._catalogue.get_many(sorted(waiting))
        cold = [id_ for id_, item in sorted(items.items()) if self._engine.popularity.is_cold(item.item_id)]
        chance.shuffle(cold)
        return cold

    def _by_number(self, values: Mapping[str, float]) -> dict[int, float]:
        numbers = self._catalogue.ids_of(list(values))
        return {number: values[item_id] for item_id, number in numbers.items()}

    def _present(self, found: Recommended, ranker: str) -> Recommendation:
        """The recommendation with these items in this order; items that no longer exist are left out."""
        serving = self._engine.serving
        stored = serving.items.get_many(found.ids.tolist())
        scored = zip(found.ids.tolist(), found.scores.tolist(), strict=True)
        living = [(stored[id_], score) for id_, score in scored if id_ in stored]
        hits = [
            hit_of(one, position, score, dominant_colour_of(serving.segments, one.id))
            for position, (one, score) in enumerate(living, start=1)
        ]
        query_id = self._query_ids.new()
        result = SearchResult(query_id, serving.generation.id, ranker, 0.0, len(hits), bool(hits), hits)
        return Recommendation(result, tuple(place + 1 for place in found.new))
