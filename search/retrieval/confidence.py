"""Decides whether the best candidates answer a query, so that noise is not presented as a result."""

from collections.abc import Mapping

from magpie.indexer.indexes.lexical_index import LexicalMatches
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.scoring import Candidates

_SHARE_OF_WORDS = 0.5
_KNOWN_SHARE = 0.5
_NEAREST = 3


def is_confident(
    parsed: ParsedQuery, matches: LexicalMatches, ranked: Candidates, calibration: Mapping[str, float]
) -> bool:
    """Whether the best candidates of one segment answer the query.

    They do if the best lexical match has half of the query's words, weighted by their rarity. Otherwise the encoder's
    vocabulary must know half of the text, and the mean similarity of the three best candidates must reach
    `calibration["probes_p10"]`, the tenth percentile of queries made of the catalogue's own words. An uploaded picture
    has no words; only the similarity counts.
    """
    if not len(ranked.rows):
        return False
    if matches.best * matches.known_share >= _SHARE_OF_WORDS:
        return True
    if parsed.known_share < _KNOWN_SHARE:
        return False
    nearness = float(ranked.similarity[:_NEAREST].mean()) / ranked.weights.vectors
    return nearness >= calibration["probes_p10"]
