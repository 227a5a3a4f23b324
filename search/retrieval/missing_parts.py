"""Calibrates the scores of items that lack a text, so that they are neither favoured nor buried."""

import numpy as np

from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.live_index.segment import Segment

_TOP_SHARE = 0.02
_FEWEST = 20
_NEIGHBOURS = 5


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


def expected_lexical(words: np.ndarray, similarity: np.ndarray, is_wordless: np.ndarray) -> np.ndarray:
    """(n,) the addends, those of wordless candidates replaced by the mean over the five with words that are about as
    similar; never more for one that is less similar."""
    told, silent = np.flatnonzero(~is_wordless), np.flatnonzero(is_wordless)
    if not len(silent) or not len(told):
        return words
    told = told[np.argsort(similarity[told], kind="stable")]
    window = np.ones(min(_NEIGHBOURS, len(told)))
    means = np.convolve(words[told], window, "same") / np.convolve(np.ones(len(told)), window, "same")
    expected = words.copy()
    expected[silent] = np.interp(similarity[silent], similarity[told], np.maximum.accumulate(means))
    return expected
