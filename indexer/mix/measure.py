"""Measures a catalogue's mix at a rebuild: sampled queries, their signals, the fit, the verdict."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from magpie.indexer.mix.fit import Fitted, fit_mix
from magpie.indexer.mix.mix import prior_mix
from magpie.indexer.mix.sample_queries import sample_queries
from magpie.indexer.mix.signals import SampledItems, SampledWords, measure_signals
from magpie.indexer.mix.verdict import describe, find_own_pictures


def measure_mix(
    items: SampledItems,
    silence: float,
    encode_queries: Callable[[list[str]], np.ndarray],
    known_by_encoder: Callable[[str], float],
    model: str,
) -> Mapping[str, Any]:
    """The entry "mix" of the manifest: the weights, figures by kind of query, and the verdict in words.

    `encode_queries` turns t texts into (t, dim) centred unit rows, `known_by_encoder` gives the share of a text that
    the encoder called `model` knows.
    """
    prior, words = prior_mix(silence), SampledWords(items.texts)
    queries = sample_queries(items.texts, words.language, words.knows)
    fitted = Fitted(prior, {})
    if queries:
        signals = measure_signals(items, queries, words, encode_queries, known_by_encoder)
        fitted = fit_mix(signals, prior, silence)
    own_picture = find_own_pictures([text.title for text in items.texts], items.pictures, encode_queries)
    return {
        "verdict": describe(fitted, own_picture, model),
        "weights": {name: round(value, 4) for name, value in vars(fitted.mix).items()},
        "judgement": fitted.judgement,
        "fallback": fitted.fallback,
        "own_picture": own_picture.as_dict() if own_picture else None,
        "silence": round(silence, 3),
    }
