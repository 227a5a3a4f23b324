"""Decides whether the best candidates answer a query, so that noise is not presented as a result."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from magpie.indexer.indexes.lexical_index import LexicalMatches
from magpie.indexer.mix.confidence import ConfidenceModel, evidence_of
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.scoring import Candidates

_SHARE_OF_WORDS = 0.5
_KNOWN_SHARE = 0.5
_NEAREST = 3
_LIKELY = 0.5


def is_confident(
    parsed: ParsedQuery, matches: LexicalMatches, ranked: Candidates, calibration: Mapping[str, Any]
) -> bool:
    """Whether the best candidates of one segment answer the query, by what the rebuild calibrated.

    Words are judged by the logistic model of `mix.confidence`. A query that no words are searched for is judged by the
    mean cosine with its three nearest items: an uploaded picture against what pictures of the catalogue reach, anything
    else, of which the encoder must know half, against queries made of the catalogue's words. Where there is no model,
    the best lexical match must have half of the words, or the nearest items be as near.
    """
    if not len(ranked.rows):
        return False
    near = float(np.sort(ranked.similarity)[-_NEAREST:].mean()) / ranked.weights.vectors
    if parsed.shows_picture:
        return near >= calibration.get("pictures_p10", calibration["probes_p10"])
    if parsed.query_words.words and "weights" in calibration:
        model = ConfidenceModel(calibration["intercept"], calibration["weights"])
        language = ranked.segment.lexical.languages.codes[0]
        evidence = evidence_of(parsed.query_words, matches.unknown, language, matches.best, near)
        return bool(model.probability(evidence) >= _LIKELY)
    if matches.best * matches.known_share >= _SHARE_OF_WORDS:
        return True
    return parsed.known_share >= _KNOWN_SHARE and near >= calibration["probes_p10"]
