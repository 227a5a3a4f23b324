"""Computes the prototype's first stage over a degraded feed: BM25 of titles, and noise in place of encoder vectors.

No text here has attributes and no vector shows which are missing: the engine gets them only while it learns. Formulas
and constants are the prototype's; the learning that follows is the engine's.
"""

import csv
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from attribute_queries import NAMED, AttributeQuery, TrueFeed, draw_queries
from people import World
from shoppers import QUERIES, Shop

from magpie.data.events.query_normalisation import query_key
from magpie.search.ranker.attribute_tags import Tags
from magpie.search.ranker.first_stage_arrays import DEPTH, FirstStage

_DIM = 96
_WEIGHTS = {"type": 1.0, "subcategory": 0.6, "colour": 0.55, "gender": 0.4, "usage": 0.25, "brand": 0.15}
_ITEM_NOISE, _QUERY_NOISE = 1.5, 1.6  # over the root of the dimension
_FOUND, _NOT_FOUND = 400, 1_000  # of each list, and the rank of what is not in it
_RRF = 60


@dataclass(frozen=True)
class _Looks:
    """What stands for an encoder: (n, _DIM) unit vectors of the items, and those of attributes' values."""

    items: np.ndarray
    values: dict[str, dict[str, np.ndarray]]

    @classmethod
    def draw(cls, feed: TrueFeed, chance: np.random.Generator) -> "_Looks":
        values, total = {}, np.zeros((len(feed.rows), _DIM))
        for name, weight in _WEIGHTS.items():
            kinds, code = np.unique(feed.column(name), return_inverse=True)
            vectors = _unit(chance.normal(size=(len(kinds), _DIM)))
            values[name] = dict(zip(kinds.tolist(), vectors, strict=True))
            total += weight * vectors[code]
        noise = chance.normal(size=total.shape) * (_ITEM_NOISE / _DIM**0.5)
        return cls(_unit(total + noise).astype(np.float32), values)

    def of_query(self, query: AttributeQuery, chance: np.random.Generator) -> np.ndarray:
        """(_DIM,) what the query looks for, as far as the stand-in understands it."""
        meant = {"type": query.type, "subcategory": query.subcategory} | query.wanted
        total = sum(weight * self.values[name][meant[name]] for name, weight in _WEIGHTS.items() if name in meant)
        return _unit(total + chance.normal(size=_DIM) * (_QUERY_NOISE / _DIM**0.5)).astype(np.float32)


def open_prototype_shop(feed: TrueFeed, poorer: Path, seed: int, number: int = QUERIES) -> Shop:
    """Queries drawn with this seed, each with the candidates that the prototype's first stage finds."""
    with poorer.open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    chance = np.random.default_rng([11, seed])
    looks, index = _Looks.draw(feed, chance), _index_titles([row["title"] for row in told])
    stages, queries, places, by_words = {}, [], [], []
    for query in draw_queries(feed, number, seed):
        key = query_key(query.text)
        if key in stages:
            continue
        stage, old = _ranked(index, looks, looks.of_query(query, chance), query.text, told)
        stages[key] = stage
        queries.append(query)
        places.append(stage.ids)
        by_words.append(old)
    grades = np.stack([feed.grades(query, of) for query, of in zip(queries, places, strict=True)])
    of_key = dict(zip(stages, grades, strict=True))
    ideals = {key: np.sort(of)[::-1][:10] for key, of in of_key.items()}
    numbers = {row["id"]: place for place, row in enumerate(feed.rows)}
    world = World(stages, of_key, ideals, {}, {}, numbers)
    return Shop(feed, queries, world, np.array(places), grades, np.array(by_words))


def _index_titles(titles: list[str]) -> sqlite3.Connection:
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE titles USING fts5(title, tokenize='porter unicode61')")
    index.executemany("INSERT INTO titles(rowid, title) VALUES (?, ?)", enumerate(titles))
    return index


def _ranked(
    index: sqlite3.Connection, looks: _Looks, query: np.ndarray, text: str, told: list[dict[str, str]]
) -> tuple[FirstStage, np.ndarray]:
    """The first DEPTH candidates by reciprocal rank fusion, and their order by words alone."""
    words = " OR ".join(f'"{word}"' for word in re.findall(r"[a-z0-9]+", text.lower()))
    found = index.execute(
        "SELECT rowid, -bm25(titles) AS score FROM titles WHERE titles MATCH ? ORDER BY score DESC LIMIT ?",
        (words, _FOUND),
    ).fetchall()
    similarity, by_word = looks.items @ query, dict(found)
    of_words = {int(row): rank for rank, (row, _) in enumerate(found)}
    of_looks = {int(row): rank for rank, row in enumerate(np.argsort(-similarity)[:_FOUND])}
    fused = {
        row: 1 / (_RRF + of_words.get(row, _NOT_FOUND)) + 1 / (_RRF + of_looks.get(row, _NOT_FOUND))
        for row in of_words.keys() | of_looks.keys()
    }
    ids = np.array(sorted(fused, key=lambda row: (-fused[row], row))[:DEPTH])
    known = {name: np.zeros(DEPTH, np.float32) for name in ("by_text", "has_text", "text_weight", "price")}
    stage = FirstStage(
        query=query,
        ids=ids,
        scores=np.array([fused[row] for row in ids], np.float32),
        similarity=similarity[ids],
        words=np.array([by_word.get(row, 0.0) for row in ids], np.float32),
        vectors=looks.items[ids],
        by_image=similarity[ids],
        has_image=np.ones(DEPTH, np.float32),
        tags=_tags([told[row] for row in ids]),
        **known,
    )
    return stage, np.argsort([of_words.get(int(row), _NOT_FOUND + rank) for rank, row in enumerate(ids)])


def _tags(rows: list[dict[str, str]]) -> Tags:
    """What the poorer feed says of these items' attributes."""
    said = [(owner, name, row[name].casefold()) for owner, row in enumerate(rows) for name in NAMED if row[name]]
    number = {pair: place for place, pair in enumerate(dict.fromkeys((name, value) for _, name, value in said))}
    fields, values = [name for name, _ in number], [value for _, value in number]
    return Tags(fields, values, *(np.array(x, np.int64) for x in (
        [owner for owner, _, _ in said], [number[name, value] for _, name, value in said])))  # fmt: skip


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
