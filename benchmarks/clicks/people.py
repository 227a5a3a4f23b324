"""Simulates clicks on the judged queries of a catalogue: the click log, and the best possible order.

An examined item is clicked the more often the higher its grade and its hidden appeal; a clicked item is bought by its
grade and a hidden quality. `Behaviour` sets which positions are examined and all other influences.
"""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.events.query_normalisation import query_key
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.evaluation.evaluate import read_qrels
from magpie.search.ranker.first_stage_arrays import FirstStage, gather_first_stage
from magpie.search.request import SearchRequest

DAYS, SHOWN, HELD_OUT = 14, 20, 0.27
SWAPPED = 0.1  # of the searches, one random pair of what is shown
_TRUST = 0.35  # with trust: chance over the position to click what does not fit, once it is looked at
_CHUNK = 50_000


@dataclass(frozen=True)
class Behaviour:
    """How people look and click: at position k with chance k^-eta, or (cascade) down to the click that satisfies them;
    with `trust` the more readily the higher a hit stands; with `taste` everybody likes one half of a list more."""

    name: str
    eta: float = 1.0
    cascade: bool = False
    trust: bool = False
    taste: bool = False

    def examination(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(positions, float) ** -self.eta


BEHAVIOURS = {
    one.name: one
    for one in (
        Behaviour("eta 1"),
        Behaviour("eta 0.5", eta=0.5),
        Behaviour("eta 1.5", eta=1.5),
        Behaviour("cascade", cascade=True),
        Behaviour("trust", trust=True),
        Behaviour("taste", taste=True),
    )
}


@dataclass(frozen=True)
class World:
    """Queries with their candidates, grades (n,), ideal grades, wants: the chance of a click on what is seen, and buys:
    the chance that what is clicked is bought."""

    stages: dict[str, FirstStage]
    grades: dict[str, np.ndarray]
    ideals: dict[str, np.ndarray]
    wants: dict[str, np.ndarray]
    buys: dict[str, np.ndarray]
    numbers: dict[str, int]

    def split(self, seed: int) -> tuple[list[str], list[str]]:
        """Queries that are asked, the busiest first, and those that never are."""
        keys = sorted(self.stages)
        random.Random(seed).shuffle(keys)
        held_out = int(HELD_OUT * len(keys))
        return keys[held_out:], keys[:held_out]


def load_world(home: Path, queries: Path, qrels: Path, seed: int) -> World:
    """The first stage's candidates of every text query, with what the judgments say of them."""
    settings = Settings(home=home)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    names = {item.id: item.item_id for batch in Catalogue(database, settings).scan() for item in batch}
    judged: dict[str, dict[str, int]] = {}
    for judgment in read_qrels(qrels):
        judged.setdefault(judgment.query_id, {})[judgment.doc_id] = judgment.relevance
    stages, grades, ideals, wants, buys = {}, {}, {}, {}, {}
    for line in queries.read_text(encoding="utf-8").splitlines():
        query = json.loads(line)
        if not query.get("text") or len(query.keys() - {"query_id", "text"}):
            continue
        key, known = query_key(query["text"]), judged[query["query_id"]]
        parsed, order = engine.first_stage(SearchRequest(text=key))
        stages[key] = gather_first_stage(order, parsed)
        items = [names[int(number)] for number in stages[key].ids]
        grades[key] = np.array([known.get(item, 0) for item in items])
        ideals[key] = np.sort(list(known.values()))[::-1][:10]
        appeal = np.array([0.35 + 0.65 * random.Random(f"{item}/{seed}").random() ** 2 for item in items])
        wants[key] = 0.08 + 0.92 * (2.0 ** grades[key] - 1) / 7 * appeal
        quality = np.array([random.Random(f"{item}/{seed}/quality").random() ** 2 for item in items])
        buys[key] = 0.02 + 0.4 * (grades[key] >= 2) * quality
    engine.close()
    database.close()
    return World(stages, grades, ideals, wants, buys, {name: number for number, name in names.items()})


def browse(
    world: World,
    asked: list[str],
    searches: int,
    behaviour: Behaviour,
    seed: int,
    orders: Mapping[str, np.ndarray] | None = None,
    ranker: str = "first-stage",
) -> ClickAggregates:
    """The log of so many searches over DAYS days, in which half of the people see twenty results and half ten.

    They see the first stage's order, or that of `orders`, which `ranker` made.
    """
    chance = np.random.default_rng(seed)
    shares = np.arange(1, len(asked) + 1) ** -0.8
    query = chance.choice(len(asked), searches, p=shares / shares.sum())
    day = np.arange(searches) * DAYS // searches
    items = list(world.numbers)
    place_of = {number: place for place, number in enumerate(world.numbers.values())}
    parts = []
    for number, key in enumerate(asked):
        mine = day[query == number]
        places = np.array([place_of[int(id_)] for id_ in world.stages[key].ids])
        shown = places[:SHOWN] if orders is None else places[orders[key][:SHOWN]]
        page = (shown, *_of_places(world, key, places, shown))
        for start in range(0, len(mine), _CHUNK):
            part = mine[start : start + _CHUNK]
            parts.append(summed(_look_and_click(part, number, page, behaviour, chance)))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    none = np.zeros(len(columns["day"]), np.int64)
    return ClickAggregates(asked, items, [ranker], [""], ranker=none, layout=none, **columns)


def joined(logs: Iterable[ClickAggregates]) -> ClickAggregates:
    """Logs of the same queries and items as one; each keeps its ranker, and its days follow those before."""
    several = list(logs)
    names = ("day", "layout", "query", "item", "position", "after", "impressions", "clicks", "conversions")
    columns = {name: np.concatenate([getattr(one, name) for one in several]) for name in names}
    columns["day"] = np.concatenate([one.day + DAYS * place for place, one in enumerate(several)])
    columns["ranker"] = np.concatenate([np.full(len(one), place) for place, one in enumerate(several)])
    rankers = [one.rankers[0] for one in several]
    return ClickAggregates(several[0].queries, several[0].items, rankers, several[0].layouts, **columns)


def _of_places(world: World, key: str, places: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, ...]:
    """How the shown items are wanted and bought, and their vectors less the mean of the list."""
    order = np.array([int(np.flatnonzero(places == place)[0]) for place in shown])
    vectors = world.stages[key].vectors[order]
    return world.wants[key][order], world.buys[key][order], vectors - vectors.mean(axis=0)


def _look_and_click(
    day: np.ndarray,
    query: int,
    page: tuple[np.ndarray, ...],
    behaviour: Behaviour,
    chance: np.random.Generator,
) -> np.ndarray:
    """(7, n) day, query, item, position, last click above, whether it is clicked and bought, of the n hits shown."""
    items, wants, buys, vectors = page
    length = len(items)
    limit = np.where(chance.random(len(day)) < 0.5, length, min(SHOWN // 2, length))
    order = np.tile(np.arange(length), (len(day), 1))
    swapped = np.flatnonzero(chance.random(len(day)) < SWAPPED)
    first = (chance.random(len(swapped)) * limit[swapped]).astype(int)
    second = (first + 1 + (chance.random(len(swapped)) * (limit[swapped] - 1)).astype(int)) % limit[swapped]
    order[swapped, first], order[swapped, second] = order[swapped, second], order[swapped, first]
    want = wants[order]
    if behaviour.taste:
        liked = (chance.normal(size=(len(day), vectors.shape[1])) @ vectors.T > 0)[np.arange(len(day))[:, None], order]
        want = np.minimum(want * np.where(liked, 1.6, 0.4), 1.0)
    position = np.arange(1, length + 1)
    if behaviour.trust:
        want = want + (1 - want) * _TRUST / position
    clicked = (chance.random(want.shape) < want) & (position <= limit[:, None])
    if behaviour.cascade:
        leaves = (chance.random(want.shape) >= 0.88) | (clicked & (chance.random(want.shape) < 0.1 + 0.7 * want))
        gone = np.cumsum(leaves, axis=1) - leaves > 0
        clicked &= ~gone
    else:
        clicked &= chance.random(want.shape) < behaviour.examination(position)
    last = np.maximum.accumulate(np.where(clicked, position, 0), axis=1)
    after = np.concatenate([np.zeros((len(day), 1), np.int64), last[:, :-1]], axis=1)
    seen = position <= limit[:, None]
    bought = clicked & (chance.spawn(1)[0].random(clicked.shape) < buys[order])  # leaves the other draws as they are
    whole = np.broadcast_arrays(day[:, None], query, items[order], position, after, clicked, bought)
    return np.stack([column[seen] for column in whole]).astype(np.int64)


def summed(hits: np.ndarray) -> dict[str, np.ndarray]:
    """The hits counted by everything but whether they were clicked and bought."""
    keys, counted = hits[:5], (np.ones(hits.shape[1]), *hits[5:])
    sizes = keys.max(axis=1) + 1
    codes, place = np.unique(np.ravel_multi_index(tuple(keys), tuple(sizes)), return_inverse=True)
    day, query, item, position, after = np.unravel_index(codes, tuple(sizes))
    counts = (np.bincount(place, x, len(codes)).astype(np.int64) for x in counted)
    named = {"day": day, "query": query, "item": item, "position": position, "after": after}
    return named | dict(zip(("impressions", "clicks", "conversions"), counts, strict=True))
