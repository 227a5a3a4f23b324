"""Candidates of which only a picture is known → similarities with which they fill no more than their share of the top.

What words and a picture say together varies less than what the picture alone lets one expect. Where a picture tells a
thing well, as in "sandals", the best of many expectations are higher than the best of the facts; so are they where a
picture is searched with, which lies nearest to other pictures.
"""

import numpy as np

from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.live_index.segment import Segment

_TOP_SHARE = 0.02
_FEWEST = 20


def limit_wordless(segment: Segment, query: np.ndarray, near: Neighbours) -> Neighbours:
    """The near rows, best first again: the similarity of a wordless one is at most what as high a place is worth among
    the items with both parts.

    Places are told from a sample of those, which is compared with the (dim,) query once as it is and once as if its
    words were not known: the upper tails of both are set equal in mean and spread.
    """
    wordless = segment.is_wordless[near.rows]
    if not wordless.any() or len(segment.whole_rows) < 2 * _FEWEST:
        return near
    known, guessed = (np.sort(vectors @ query) for vectors in segment.with_and_without_words)
    top = max(_FEWEST, int(_TOP_SHARE * len(known)))
    facts, guesses = known[-top:], guessed[-top:]
    spread = facts.std() / max(float(guesses.std()), 1e-6)
    worth = facts.mean() + spread * (near.scores - guesses.mean())
    scores = np.where(wordless, np.minimum(near.scores, worth), near.scores).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return Neighbours(near.rows[order], scores[order])
