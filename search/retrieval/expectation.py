"""Candidates that have no words at all → the words' addend that candidates as near as they usually have.

Without it, an item of which only a picture is known could never stand beside those whose text has the query's words.
"""

import numpy as np

_NEIGHBOURS = 5


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
