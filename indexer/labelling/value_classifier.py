"""Predicts the likeliest of some values from an item's vector, with a probability calibrated on known items.

A value is recognised by the vector of its own name (zero-shot, as in Radford et al. 2021, arXiv:2103.00020); ridge
regression on the known items' residuals corrects these vectors. The softmax of the likeliest value becomes a
probability by isotonic regression (Zadrozny and Elkan 2002) on the known items, each judged by a classifier
that has not seen it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from magpie.indexer.draws import draw_keys

FEWEST_KNOWN = 50  # fewer say nothing of how often a guess is right
_RIDGE = 10.0  # on the fashion dev split 3 to 30 do equally well, for colour and for gender
_SHARPNESS = 8.0  # of the softmax; only its order matters once it is calibrated
_NUM_FOLDS = 5


@dataclass(frozen=True)
class Guesses:
    """(n,) the place of the likeliest value, and (n,) its probability."""

    best: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class ValueClassifier:
    """Chooses among values whose directions are (v, dim).

    `steps` and `shares` are the ascending softmax values of the known items and the share of right guesses there.
    `measured` are the guesses about the known items, made and calibrated without themselves, and `is_right` (n,) says
    which of them are. All four are empty where fewer than fifty are known; then the softmax is the confidence.
    """

    directions: np.ndarray
    steps: np.ndarray
    shares: np.ndarray
    measured: Guesses
    is_right: np.ndarray

    @classmethod
    def fit(cls, names: np.ndarray, vectors: np.ndarray, truth: np.ndarray) -> "ValueClassifier":
        """Learns from the (v, dim) vectors of the values' names and from known items: (n, dim) vectors and (n, v) bool
        truth, a row of which is all False where the value is not among those to choose from."""
        directions, nothing = _learn_directions(names, vectors, truth), np.zeros(0)
        if len(truth) < FEWEST_KNOWN:
            return cls(directions, nothing, nothing, Guesses(nothing.astype(np.int64), nothing), nothing.astype(bool))
        guesses = _guess_unseen(names, vectors, truth)
        is_right = truth[np.arange(len(truth)), guesses.best]
        measured, folds = np.zeros(len(truth)), _folds(len(truth))
        for fold in range(_NUM_FOLDS):
            steps, shares = _calibrate(guesses.confidence[folds != fold], is_right[folds != fold])
            measured[folds == fold] = np.interp(guesses.confidence[folds == fold], steps, shares)
        steps, shares = _calibrate(guesses.confidence, is_right)
        return cls(directions, steps, shares, Guesses(guesses.best, measured), is_right)

    def guess(self, vectors: np.ndarray) -> Guesses:
        """The likeliest value of each of (n, dim) items."""
        raw = _guess(self.directions, vectors)
        return Guesses(raw.best, np.interp(raw.confidence, self.steps, self.shares)) if len(self.steps) else raw


def _learn_directions(names: np.ndarray, vectors: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The names, plus what (XᵀX + λI)⁻¹Xᵀ(Y - X names) adds for the known items X and their truth Y."""
    if not len(vectors):
        return names
    unexplained = truth - truth.mean(axis=0) - vectors @ names.T
    gram = vectors.T @ vectors + _RIDGE * np.eye(vectors.shape[1])
    return np.asarray(names + np.linalg.solve(gram, vectors.T @ unexplained).T, np.float32)


def _guess(directions: np.ndarray, vectors: np.ndarray) -> Guesses:
    scores = _SHARPNESS * vectors @ directions.T
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return Guesses(scores.argmax(axis=1), 1 / odds.sum(axis=1))


def _guess_unseen(names: np.ndarray, vectors: np.ndarray, truth: np.ndarray) -> Guesses:
    folds = _folds(len(truth))
    best, confidence = np.zeros(len(truth), np.int64), np.zeros(len(truth))
    for fold in range(_NUM_FOLDS):
        seen, unseen = folds != fold, folds == fold
        found = _guess(_learn_directions(names, vectors[seen], truth[seen]), vectors[unseen])
        best[unseen], confidence[unseen] = found.best, found.confidence
    return Guesses(best, confidence)


def _folds(count: int) -> np.ndarray:
    return np.argsort(draw_keys(map(str, range(count)))) % _NUM_FOLDS


def _calibrate(confidence: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending softmax values and the share of right guesses at each.

    One wrong guess is added above all others, so that a few lucky ones never make a certainty.
    """
    order = np.argsort(confidence, kind="stable")
    steps = np.append(confidence[order], confidence.max())
    return steps, np.asarray(isotonic_regression(np.append(is_right[order], False).astype(np.float64)).x)
