"""Simulates shoppers with preferences of their own on attribute queries: their click log, and what they gain.

An examined item is clicked by its grade, a hidden appeal (of its brand and its own) and the shopper's preferences: a
gender, three families of colours and five brands, each where the query does not name it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from attribute_queries import AttributeQuery, TrueFeed, draw_queries
from people import Behaviour, World, summed

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.events.query_normalisation import query_key
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.ranker.first_stage_arrays import DEPTH, gather_first_stage
from magpie.search.request import SearchRequest

SHOWN, DAYS = 20, 15
QUERIES, HELD_OUT = 600, 120
SHOPPERS = 4_000
ARMS = (0.3, 0.6, 0.1)  # of the searches: an old ranking by words, the production one, that one with a pair exchanged
_SESSION = 0.25  # chance that a search is the last of its session
_FAMILIES, _BRANDS = 3, 5  # that a shopper likes
_OTHER_GENDER, _OTHER_COLOUR, _OTHER_BRAND = 0.35, 0.7, 0.8  # what is left of the chance to click
_TRUST = 0.35


@dataclass(frozen=True)
class Shop:
    """Queries with their candidates: (q, DEPTH) `places` in the feed, `grades`, and `by_words`, the order of an old
    ranking that only compares words."""

    feed: TrueFeed
    queries: list[AttributeQuery]
    world: World
    places: np.ndarray
    grades: np.ndarray
    by_words: np.ndarray

    @property
    def keys(self) -> list[str]:
        return list(self.world.stages)

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Queries that are asked, the busiest first, and those that never are, as places."""
        order = np.random.default_rng([99, seed]).permutation(len(self.queries))
        return order[HELD_OUT:], order[:HELD_OUT]

    def asks_for(self, name: str) -> np.ndarray:
        """(q,) bool: whether each query names this attribute."""
        return np.array([name in query.wanted for query in self.queries])


def open_shop(feed: TrueFeed, home: Path, seed: int, number: int = QUERIES) -> Shop:
    """Queries drawn with this seed, each with the candidates that the engine finds in `home`."""
    settings = Settings(home=home)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    names = {item.id: item.item_id for batch in Catalogue(database, settings).scan() for item in batch}
    stages, queries, places, by_words = {}, [], [], []
    for query in draw_queries(feed, number, seed):
        key = query_key(query.text)
        parsed, order = engine.first_stage(SearchRequest(text=key, facets=False))
        stage = gather_first_stage(order, parsed)
        if len(stage) < DEPTH or key in stages:
            continue
        _, lexical = engine.first_stage(SearchRequest(text=key, facets=False, mode="lexical"))
        rank = {int(id_): at for at, id_ in enumerate(lexical.ids)}
        stages[key] = stage
        queries.append(query)
        places.append([feed.place_of[names[int(id_)]] for id_ in stage.ids])
        by_words.append(np.argsort([rank.get(int(id_), 1_000 + at) for at, id_ in enumerate(stage.ids)]))
    engine.close()
    database.close()
    grades = np.stack([feed.grades(query, of) for query, of in zip(queries, places, strict=True)])
    numbers = {name: number for number, name in names.items()}
    of_key = dict(zip(stages, grades, strict=True))
    ideals = {key: np.sort(of)[::-1][:10] for key, of in of_key.items()}
    world = World(stages, of_key, ideals, {}, {}, numbers)
    return Shop(feed, queries, world, np.array(places), grades, np.array(by_words))


@dataclass(frozen=True)
class Shoppers:
    """(SHOPPERS,) genders and (SHOPPERS, …) what each likes; (n,) the appeal of the feed's items."""

    shop: Shop
    gender: np.ndarray
    families: np.ndarray
    brands: np.ndarray
    appeal: np.ndarray

    @classmethod
    def draw(cls, shop: Shop, seed: int) -> "Shoppers":
        """Shoppers, and an appeal of the items, of their own for every seed."""
        chance = np.random.default_rng([1_000, seed])
        family, brand = (np.unique(values, return_inverse=True)[1] for values in cls._kinds(shop))
        own = 0.3 + 0.7 * chance.normal(size=brand.max() + 1)[brand] + chance.normal(size=len(brand))
        gender = chance.choice(["Men", "Women", ""], SHOPPERS, p=[0.45, 0.45, 0.1])
        families, brands = (
            _likes(chance, np.bincount(of) + 1.0, number, root)
            for of, number, root in ((family, _FAMILIES, 0.5), (brand, _BRANDS, 1.0))
        )
        return cls(shop, gender, families, brands, 0.25 + 0.75 / (1 + np.exp(-own)))

    @staticmethod
    def _kinds(shop: Shop) -> tuple[np.ndarray, np.ndarray]:
        return shop.feed.families, shop.feed.column("brand")

    @cached_property
    def _items(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(q, DEPTH) gender, family and brand of every query's candidates, the last two as places."""
        family, brand = (np.unique(values, return_inverse=True)[1] for values in self._kinds(self.shop))
        places = self.shop.places
        return self.shop.feed.column("gender")[places], family[places], brand[places]

    @cached_property
    def _fits(self) -> np.ndarray:
        """(q, DEPTH) what grade and appeal make of each candidate, before taste."""
        return (2.0**self.shop.grades - 1) / 7 * self.appeal[self.shop.places]

    def wants(self, shopper: np.ndarray, query: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """(n, m) chance of a click on what is looked at, for (n,) shoppers and queries and (n, m) candidates."""
        at, who, of = (query[:, None], candidates), shopper[:, None], query[:, None]
        gender, family, brand = (kind[at] for kind in self._items)
        own = self.gender[who]
        named = {name: self.shop.asks_for(name)[of] for name in ("gender", "colour", "brand")}
        suits = np.where(named["gender"] | (own == "") | (gender == "Unisex") | (gender == own), 1.0, _OTHER_GENDER)
        suits = suits * np.where(named["colour"] | self.families[who, family], 1.0, _OTHER_COLOUR)
        suits = suits * np.where(named["brand"] | self.brands[who, brand], 1.0, _OTHER_BRAND)
        return 0.1 + 0.9 * self._fits[at] * suits

    @cached_property
    def mean_wants(self) -> np.ndarray:
        """(q, DEPTH) the same, of all shoppers."""
        gender, family, brand = self._items
        shares = {name: float((self.gender == name).mean()) for name in ("Men", "Women", "")}
        alike = np.vectorize(lambda of: shares.get(of, 0.0) + shares[""])(gender)
        of_gender = np.where(gender == "Unisex", 1.0, alike + (1 - alike) * _OTHER_GENDER)
        of_family = _OTHER_COLOUR + (1 - _OTHER_COLOUR) * self.families.mean(axis=0)[family]
        of_brand = _OTHER_BRAND + (1 - _OTHER_BRAND) * self.brands.mean(axis=0)[brand]
        suits = 1.0
        for name, factor in (("gender", of_gender), ("colour", of_family), ("brand", of_brand)):
            suits = suits * np.where(self.shop.asks_for(name)[:, None], 1.0, factor)
        return np.asarray(0.1 + 0.9 * self._fits * suits)

    def conflicts(self, shopper: np.ndarray, query: np.ndarray) -> np.ndarray:
        """(n,) bool: queries for the other gender, which these shoppers hardly ask."""
        wanted = np.array([one.wanted.get("gender", "") for one in self.shop.queries])[query]
        own = self.gender[shopper]
        return ((wanted == "Men") & (own == "Women")) | ((wanted == "Women") & (own == "Men"))


def _likes(chance: np.random.Generator, frequency: np.ndarray, number: int, root: float) -> np.ndarray:
    """(SHOPPERS, kinds) bool, so many true in each row, the frequent kinds more often."""
    shares = frequency**root / (frequency**root).sum()
    found = np.zeros((SHOPPERS, len(shares)), bool)
    for row in found:
        row[chance.choice(len(shares), number, False, shares)] = True
    return found


@dataclass(frozen=True)
class Searches:
    """(n,) session, shopper and query of searches, in the order of time."""

    session: np.ndarray
    shopper: np.ndarray
    query: np.ndarray

    def __len__(self) -> int:
        return len(self.query)


def draw_searches(shoppers: Shoppers, asked: np.ndarray, number: int, chance: np.random.Generator) -> Searches:
    """Sessions of four searches on average, for queries that are asked by Zipf's law."""
    session = np.repeat(np.arange(number), chance.geometric(_SESSION, number))[:number]
    shopper = chance.integers(SHOPPERS, size=session.max() + 1)[session]
    shares = traffic(len(asked))
    query = asked[chance.choice(len(asked), number, p=shares)]
    for _ in range(3):
        other = shoppers.conflicts(shopper, query)
        query[other] = asked[chance.choice(len(asked), int(other.sum()), p=shares)]
    return Searches(session, shopper, query)


def traffic(number: int) -> np.ndarray:
    """(number,) shares of the searches, the busiest query first."""
    shares = 1 / np.arange(1, number + 1)
    return np.asarray(shares / shares.sum())


def look_and_click(
    wants: np.ndarray, grades: np.ndarray, behaviour: Behaviour, chance: np.random.Generator
) -> np.ndarray:
    """(n, SHOWN) bool: what is clicked of the hits shown, from how they are wanted and their grades."""
    position = np.arange(1, wants.shape[1] + 1)
    if behaviour.cascade:
        clicked = chance.random(wants.shape) < wants
        satisfied = clicked & (chance.random(wants.shape) < 0.1 + 0.7 * (2.0**grades - 1) / 7)
        leaves = satisfied | (chance.random(wants.shape) >= 0.88)
        return clicked & (np.cumsum(leaves, axis=1) - leaves == 0)
    chances = wants + (1 - wants) * _TRUST / position if behaviour.trust else wants
    return np.asarray(chance.random(wants.shape) < chances * behaviour.examination(position))


def shop_around(shoppers: Shoppers, asked: np.ndarray, number: int, behaviour: Behaviour, seed: int) -> ClickAggregates:
    """The log of so many searches by these queries over DAYS days; half of the lists have ten hits and half twenty."""
    chance, shop = np.random.default_rng([5, seed]), shoppers.shop
    searches = draw_searches(shoppers, asked, number, chance)
    arm, length = chance.choice(3, number, p=ARMS), np.where(chance.random(number) < 0.5, SHOWN // 2, SHOWN)
    lists = np.where((arm == 0)[:, None], shop.by_words[searches.query, :SHOWN], np.arange(SHOWN))
    exchanged = np.flatnonzero(arm == 2)
    first, second = ((chance.random(len(exchanged)) * length[exchanged]).astype(int) for _ in range(2))
    lists[exchanged, first], lists[exchanged, second] = lists[exchanged, second], lists[exchanged, first]
    wants = shoppers.wants(searches.shopper, searches.query, lists)
    clicked = look_and_click(wants, shop.grades[searches.query[:, None], lists], behaviour, chance)
    position = np.arange(1, SHOWN + 1)
    seen = position <= length[:, None]
    clicked &= seen
    last = np.maximum.accumulate(np.where(clicked, position, 0), axis=1)
    after = np.concatenate([np.zeros((number, 1), np.int64), last[:, :-1]], axis=1)
    day = (np.arange(number) * DAYS // number)[:, None]
    rows = np.empty(len(shop.queries), np.int64)
    rows[asked] = np.arange(len(asked))
    columns = (day, rows[searches.query][:, None], shop.places[searches.query[:, None], lists], position, after)
    hits = np.stack([x[seen] for x in np.broadcast_arrays(*columns, clicked, False)]).astype(np.int64)
    by_words = np.broadcast_to((arm == 0)[:, None], seen.shape)[seen]
    parts = [summed(hits[:, by_words == old]) for old in (False, True) if (by_words == old).any()]
    cells = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    ranker = np.repeat(np.arange(len(parts)), [len(part["day"]) for part in parts])
    items, keys = [row["id"] for row in shop.feed.rows], shop.keys
    none = np.zeros(len(ranker), np.int64)
    return ClickAggregates(
        [keys[q] for q in asked], items, ["production", "words"], [""], ranker=ranker, layout=none, **cells
    )


def true_clicks(shoppers: Shoppers, query: int, order: np.ndarray, behaviour: Behaviour) -> float:
    """Expected clicks of all shoppers on the first ten, by what is wanted alone."""
    wants, grades = shoppers.mean_wants[query, order[:10]], shoppers.shop.grades[query, order[:10]]
    if not behaviour.cascade:
        return float((wants * behaviour.examination(np.arange(1, 11))).sum())
    stays = 0.88 * (1 - wants * (0.1 + 0.7 * (2.0**grades - 1) / 7))
    return float((wants * np.concatenate([[1.0], np.cumprod(stays)[:-1]])).sum())
