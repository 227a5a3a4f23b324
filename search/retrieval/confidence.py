"""Whether an answer is one: noise is never shown as if it were a result."""

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
    """Whether the best candidates answer the query.

    They do if one of them has half of the query's words, weighted by how telling they are. Otherwise the encoder
    must know the words (random letters fall into many tokens), and the nearest items must be as near as those
    that the catalogue's own words find. A picture has no words: there only nearness counts.
    """
    if not len(ranked.rows):
        return False
    if len(matches.scores) and float(matches.scores[0]) >= _SHARE_OF_WORDS:
        return True
    if parsed.known_share < _KNOWN_SHARE:
        return False
    nearness = float(ranked.similarity[:_NEAREST].mean())
    return nearness >= calibration["probes_p10"]
