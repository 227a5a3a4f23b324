"""Calibrates the scores of items without text, so that they compete fairly with items that have both parts."""

import numpy as np

from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.live_index.segment import Segment

_TOP_SHARE = 0.02
_FEWEST = 20
_NEIGHBOURS = 5


def limit_wordless(segment: Segment, query: np.ndarray, near: Neighbours) -> Neighbours:
    """The neighbours with the similarities of wordless items calibrated and never raised, best first.

    A sample of items with both parts is compared twice with the query (as `fused_query` gives it): as they are, and as
    if they had no text. The calibration maps mean and standard deviation of the second comparison's best 2 % to those
    of the first.
    """
    wordless = segment.is_wordless[near.rows]
    if not wordless.any() or len(segment.whole_rows) < 2 * _FEWEST:
        return near
    with_text, without_text = (np.sort(vectors @ query) for vectors in segment.with_and_without_words)
    top = max(_FEWEST, int(_TOP_SHARE * len(with_text)))
    target, source = with_text[-top:], without_text[-top:]
    scale = target.std() / max(float(source.std()), 1e-6)
    calibrated = target.mean() + scale * (near.scores - source.mean())
    scores = np.where(wordless, np.minimum(near.scores, calibrated), near.scores).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return Neighbours(near.rows[order], scores[order])


def expected_lexical(words: np.ndarray, similarity: np.ndarray, is_wordless: np.ndarray) -> np.ndarray:
    """(n,) lexical addends, in which those of wordless candidates are estimated from their similarity.

    The estimate interpolates a moving mean over five candidates with words, in order of similarity, made monotone: a
    less similar candidate never gets more.
    """
    known, missing = np.flatnonzero(~is_wordless), np.flatnonzero(is_wordless)
    if not len(missing) or not len(known):
        return words
    known = known[np.argsort(similarity[known], kind="stable")]
    window = np.ones(min(_NEIGHBOURS, len(known)))
    means = np.convolve(words[known], window, "same") / np.convolve(np.ones(len(known)), window, "same")
    expected = words.copy()
    expected[missing] = np.interp(similarity[missing], similarity[known], np.maximum.accumulate(means))
    return expected
