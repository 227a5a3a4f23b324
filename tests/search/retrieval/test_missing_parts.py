"""Parity: items of which only a picture is known do not crowd the top of what is searched with "not" or a picture."""

from dataclasses import replace

import numpy as np
import pytest

from magpie.indexer.fusion.halves import stand_twice
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.vector_index import EXACT, Neighbours, VectorIndex, build_index
from magpie.indexer.vectors import unit_rows
from magpie.search.live_index.segment import Segment
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.candidates import retrieve
from magpie.search.retrieval.missing_parts import limit_wordless
from magpie.search.retrieval.scoring import score
from tests.support.segments import segment_of

DIM, KINDS, EACH, WORDLESS = 16, 10, 200, 0.3
TOP = 40


@pytest.fixture(scope="module")
def shop() -> Segment:
    """Pictures show of which of ten kinds a thing is; words say it too, and much else. Three tenths have no words."""
    rng = np.random.default_rng(0)
    kinds = unit_rows(rng.standard_normal((KINDS, DIM)).astype(np.float32))
    kind = np.repeat(np.arange(KINDS), EACH)
    image = unit_rows(kinds[kind] + 0.1 * rng.standard_normal((KINDS * EACH, DIM)).astype(np.float32))
    text = unit_rows(kinds[kind] + 0.3 * rng.standard_normal((KINDS * EACH, DIM)).astype(np.float32))
    text[rng.random(len(text)) < WORDLESS] = 0
    weights = np.where(text.any(axis=1), 0.7, 0.0).astype(np.float32)
    fusion = ImputedAverage.fit({"text": text, "image": image}, weights)
    return segment_of(text, image, weights, fusion)


def ranked(shop: Segment, query: np.ndarray) -> Neighbours:
    scores = shop.fused @ query
    order = np.argsort(-scores)
    return Neighbours(order, scores[order])


def wordless_at_the_top(shop: Segment, near: Neighbours) -> float:
    return float(shop.is_wordless[near.rows[:TOP]].mean())


def test_they_get_at_most_about_their_share_of_the_top(shop: Segment) -> None:
    queries = unit_rows(np.stack([shop.parts["image"][k * EACH :][:EACH].mean(axis=0) for k in range(KINDS)]))
    queries = stand_twice(queries.astype(np.float32))
    before = [ranked(shop, query) for query in queries]
    after = [limit_wordless(shop, query, near) for query, near in zip(queries, before, strict=True)]
    assert np.mean([wordless_at_the_top(shop, near) for near in before]) > 2 * WORDLESS
    assert np.mean([wordless_at_the_top(shop, near) for near in after]) == pytest.approx(WORDLESS, abs=0.1)


def test_nobody_gains_and_items_with_words_keep_their_similarity(shop: Segment) -> None:
    query = stand_twice(shop.own_vectors(np.array([7]))[0])
    near = ranked(shop, query)
    fair = limit_wordless(shop, query, near)
    assert (np.diff(fair.scores) <= 0).all() and sorted(fair.rows) == sorted(near.rows)
    gains = fair.scores[np.argsort(fair.rows)] - near.scores[np.argsort(near.rows)]
    assert (gains <= 0).all() and (gains < 0).any() and not gains[~shop.is_wordless].any()


def test_where_nothing_is_known_of_whole_items_all_stays(shop: Segment) -> None:
    wordless = np.flatnonzero(shop.is_wordless)
    pictures = np.asarray(shop.parts["image"], np.float32)[wordless]
    alone = segment_of(np.zeros_like(pictures), pictures, np.zeros(len(pictures), np.float32))
    query = stand_twice(pictures[0])
    near = ranked(alone, query)
    assert limit_wordless(alone, query, near) is near


def test_an_uploaded_picture_finds_them_within_their_share(shop: Segment) -> None:
    rows = {"fused": np.asarray(shop.fused, np.float32), "image": np.asarray(shop.parts["image"], np.float32)}
    indexes = {name: VectorIndex(build_index(each, shop.ids, EXACT), shop.ids, each) for name, each in rows.items()}
    searched = replace(shop, indexes=indexes, columns=Columns({}, len(shop.ids)))
    statistics = CollectionStatistics([(shop.lexical, shop.dead)])
    shown = [np.asarray(shop.parts["image"][k * EACH : (k + 1) * EACH], np.float32).mean(axis=0) for k in range(KINDS)]

    def wordless(shows_picture: bool) -> float:
        parsed_queries = [ParsedQuery("fused", unit_rows(v[None])[0], shows_picture=shows_picture) for v in shown]
        found = [score(parsed, retrieve([searched], parsed, statistics))[0] for parsed in parsed_queries]
        return float(np.mean([shop.is_wordless[one.rows[:TOP]].mean() for one in found]))

    assert wordless(False) > 2 * WORDLESS
    assert wordless(True) == pytest.approx(WORDLESS, abs=0.1)
