"""A small world of searches whose truth is known: what people want, how far they look, and the log they leave."""

from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.ranker.first_stage_arrays import FirstStage

NUM_QUERIES, NUM_ITEMS, SHOWN, DAYS = 60, 400, 10, 6


@dataclass(frozen=True)
class World:
    """Stages by query, and `wants` (query → chance of a click on each candidate that is looked at)."""

    stages: dict[str, FirstStage]
    wants: dict[str, np.ndarray]

    @property
    def numbers(self) -> dict[str, int]:
        """`items.id` by item id."""
        return {str(number): number for number in range(1, NUM_ITEMS + 1)}


def make_world(seed: int = 0, dim: int = 16, candidates: int = 30) -> World:
    """Queries about a first stage that half knows what is wanted: candidates in a noisy order of their worth."""
    random = np.random.default_rng(seed)
    items = _unit(random.normal(size=(NUM_ITEMS, dim)))
    stages, wants = {}, {}
    for number in range(NUM_QUERIES):
        query = _unit(random.normal(size=dim))
        near = np.argsort(-(items @ query))[:candidates]
        worth = items[near] @ query + random.normal(0, 0.1, candidates)
        scores = worth + random.normal(0, 0.15, candidates)
        order = np.argsort(-scores)
        ids, vectors = near[order] + 1, items[near[order]].astype(np.float32)
        zeros, ones = np.zeros(candidates, np.float32), np.ones(candidates, np.float32)
        similarity = scores[order].astype(np.float32)
        parts = {"by_text": zeros, "by_image": similarity, "has_text": zeros, "has_image": ones}
        nothing = {"text_weight": zeros, "price": np.full(candidates, np.nan, np.float32)}
        key = f"query {number}"
        stages[key] = FirstStage(
            query.astype(np.float32), ids, similarity, similarity, zeros, vectors, **parts, **nothing
        )
        wants[key] = np.clip(0.05 + 0.9 * (worth[order] - worth.min()) / np.ptp(worth), 0, 1) ** 2
    return World(stages, wants)


def browse(
    world: World, searches: int, seed: int = 0, cascade: bool = False, swaps: float = 0.3, eta: float = 1.0
) -> ClickAggregates:
    """The log of so many searches: position k is looked at with chance k^-eta, or (cascade) until a click satisfies."""
    random = np.random.default_rng(seed)
    keys = list(world.stages)
    rows: dict[tuple[int, int, int, int, int], list[int]] = {}
    for search in range(searches):
        query = int(len(keys) * random.random() ** 1.5)
        shown = np.arange(SHOWN)
        if random.random() < swaps:
            a, b = random.choice(SHOWN, 2, replace=False)
            shown[a], shown[b] = b, a
        after, still_looks = 0, True
        for position, place in enumerate(shown, 1):
            looks = still_looks if cascade else random.random() < position**-eta
            clicked = bool(looks and random.random() < world.wants[keys[query]][place])
            if cascade and ((clicked and random.random() < 0.7) or random.random() < 0.05):
                still_looks = False
            item = int(world.stages[keys[query]].ids[place])
            cell = rows.setdefault((search * DAYS // searches, query, item, position, after), [0, 0])
            cell[0] += 1
            cell[1] += clicked
            after = position if clicked else after
    day, query_numbers, item_numbers, positions, afters = np.array(list(rows)).T
    impressions, clicks = np.array(list(rows.values())).T
    none = np.zeros(len(rows), np.int64)
    return ClickAggregates(
        queries=keys,
        items=[str(number) for number in range(NUM_ITEMS + 1)],
        rankers=["first-stage"],
        layouts=[""],
        day=day,
        ranker=none,
        layout=none,
        query=query_numbers,
        item=item_numbers,
        position=positions,
        after=afters,
        impressions=impressions,
        clicks=clicks,
        conversions=none,
    )


def expected_clicks(world: World, key: str, order: np.ndarray) -> float:
    """True clicks a search on the first ten of an order of the candidates."""
    return float((world.wants[key][order[:SHOWN]] / np.arange(1, SHOWN + 1)).sum())


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
