"""Calibrates confidence: from which evidence on a search's best candidates count as an answer, in this catalogue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.indexer.fusion.halves import stand_twice
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.indexes.lexical_index import LexicalIndex
from magpie.indexer.mix.confidence import evidence_of, fit_confidence
from magpie.indexer.mix.mix import Mix
from magpie.indexer.mix.sample_queries import SampledQuery, absent_queries, sample_queries
from magpie.indexer.mix.signals import withhold
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.query_words import analyse_query

_TOP = 3
_BLOCK_ROWS = 8_192
_QUANTILE = 0.1
_FEWEST = 20
_PICTURES = 200
_ASKED = frozenset({"title", "attributes", "withheld", "company", "synonyms"})  # kinds of query that have an answer


@dataclass(frozen=True)
class CalibratedIndex:
    """What confidence is calibrated on: the lexical index, the (n, 2·dim) fused rows, the mix, and what turns t texts
    into (t, dim) centred unit rows."""

    lexical: LexicalIndex
    fused: np.ndarray
    mix: Mix
    encode_queries: Callable[[list[str]], np.ndarray]


def calibrate_confidence(
    index: CalibratedIndex, texts: Sequence[ItemText], probes: np.ndarray, pictures: np.ndarray
) -> dict[str, Any]:
    """The entry "confidence" of the manifest.

    `intercept` and `weights` tell queries made of the `texts` of sampled items from queries for what the catalogue
    lacks; left out with fewer than twenty of either. `probes_p10` and `pictures_p10` are the tenth percentiles of the
    mean cosine with the three nearest items: of the synthetic queries `probes` (q, dim), for queries that no words are
    searched for, and of (m, dim) pictures of the catalogue, without their own items. They are 1 without any, so that no
    similarity suffices.
    """
    return {
        "probes_p10": _tenth(nearness(index.mix.stand_twice(probes), index.fused)),
        "pictures_p10": _tenth(_nearness_of_pictures(pictures, index.fused)),
        **_tell_absent_from_present(index, texts),
    }


def _tenth(near: np.ndarray) -> float:
    return float(np.quantile(near, _QUANTILE)) if len(near) else 1.0


def _nearness_of_pictures(pictures: np.ndarray, fused: np.ndarray) -> np.ndarray:
    """(q,) mean cosine of at most two hundred pictures with the three nearest items besides the nearest, their own."""
    some = pictures[np.abs(pictures).max(axis=1) > 0] if len(pictures) else pictures
    some = some[:: max(1, len(some) // _PICTURES)][:_PICTURES]
    best = _best(stand_twice(some), fused, _TOP + 1)
    return np.asarray(best[:, :-1].mean(axis=1)) if best.shape[1] > 1 else np.zeros(0, np.float32)


def _tell_absent_from_present(index: CalibratedIndex, texts: Sequence[ItemText]) -> dict[str, Any]:
    statistics = CollectionStatistics([(index.lexical, np.zeros(index.lexical.num_rows, bool))])
    languages = index.lexical.languages

    def knows(word: str) -> bool:
        return not statistics.look_up(analyse_query(word, languages)).unknown

    def evidence(queries: Sequence[SampledQuery]) -> np.ndarray:
        vectors = index.encode_queries([query.text for query in queries])
        rows = []
        for query, near in zip(queries, nearness(index.mix.stand_twice(vectors), index.fused).tolist(), strict=True):
            words = withhold(analyse_query(query.text, languages), query.withheld, languages)
            looked_up = statistics.look_up(words)
            best = index.lexical.match(looked_up).best
            rows.append(evidence_of(words, looked_up.unknown, languages.codes[0], best, near))
        return np.array(rows)

    present = [query for query in sample_queries(texts, languages.codes[0], knows) if query.kind in _ASKED]
    absent = absent_queries(texts, languages.codes[0], knows)
    if min(len(present), len(absent)) < _FEWEST:
        return {}
    return fit_confidence(evidence(present), evidence(absent)).as_manifest()


def nearness(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(q,) mean inner product of each query with its three nearest rows."""
    best = _best(queries, vectors, _TOP)
    return np.asarray(best.mean(axis=1)) if best.shape[1] else np.zeros(len(queries), np.float32)


def _best(queries: np.ndarray, vectors: np.ndarray, top: int) -> np.ndarray:
    """(q, top) the largest inner products of each query, ascending; fewer columns with fewer rows."""
    best = np.full((len(queries), top), -np.inf, np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        scores = queries @ vectors[start : start + _BLOCK_ROWS].T
        best = np.partition(np.concatenate([best, scores], axis=1), -top, axis=1)[:, -top:]
    return np.sort(best, axis=1)[:, top - min(top, len(vectors)) :]
