"""The confidence that an answer is one: a logistic model of what is known of a query, fitted to the catalogue.

What speaks for an answer: the catalogue has the query's words, the more so the rarer they are in the language; it has
the head, the word that the others describe; one item has all the words; the nearest items are near.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from magpie.indexer.text.languages import word_frequencies
from magpie.indexer.text.query_words import QueryWord, QueryWords

FEATURES = ("known", "head", "covered", "near")
_HEAD_FIRST = frozenset({"ar", "ca", "es", "fr", "he", "id", "it", "ms", "pt", "ro", "vi"})
_RAREST = 1e-8  # of a language's words; those that no list has
_RIDGE = 1.0
_STEPS = 25


def evidence_of(
    words: QueryWords, unknown: Sequence[str], language: str, best_lexical: float, nearness: float
) -> np.ndarray:
    """(4,) float: what is known of a query, by FEATURES; each about 0 to 1.

    `unknown` are the texts of the words that no item has, `best_lexical` the best lexical score, `nearness` the mean
    cosine of the three nearest items.
    """
    content = [word for word in words.words if not word.is_optional]
    missing = set(unknown)
    rarity = [_rarity(word.text, language) for word in content]
    told = sum(each for word, each in zip(content, rarity, strict=True) if word.text not in missing)
    known = told / sum(rarity) if content else 0.0
    head = head_of(words.words, language)
    has_head = head is not None and head.text not in missing
    return np.array([known, float(has_head), min(1.0, best_lexical) * known, nearness])


def head_of(words: Sequence[QueryWord], language: str) -> QueryWord | None:
    """The word that the others describe: the last before a function word ("shelves for books"), or the first in
    languages that put it there ("lampe de bureau"). Numbers are no heads. None without words."""
    phrase: list[QueryWord] = []
    for word in words:
        if not word.is_optional and any(map(str.isalpha, word.text)):
            phrase.append(word)
        elif word.is_optional and phrase:
            break
    return (phrase[0] if language in _HEAD_FIRST else phrase[-1]) if phrase else None


@lru_cache(maxsize=20_000)
def _rarity(word: str, language: str) -> float:
    """How much rarer than the most usual words a word of the language is: -log10 of its share, 1 or more."""
    share = word_frequencies(language).get(word, _RAREST)
    return max(1.0, float(-np.log10(max(share, _RAREST))))


@dataclass(frozen=True)
class ConfidenceModel:
    """A logistic model: the probability that a query with this evidence has an answer in the catalogue."""

    intercept: float
    weights: Mapping[str, float]

    def probability(self, evidence: np.ndarray) -> np.ndarray:
        """(…,) probabilities of (…, 4) evidence."""
        logit = self.intercept + evidence @ np.array([self.weights[name] for name in FEATURES])
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))))

    def as_manifest(self) -> dict[str, Any]:
        return {"intercept": round(self.intercept, 4), "weights": {n: round(w, 4) for n, w in self.weights.items()}}


def fit_confidence(present: np.ndarray, absent: np.ndarray) -> ConfidenceModel:
    """The model that tells (m, 4) evidence of queries with an answer from (k, 4) without one, both counting alike.

    Newton's method on the penalised likelihood; no weight is negative.
    """
    rows = np.concatenate([present, absent])
    target = np.repeat([1.0, 0.0], [len(present), len(absent)])
    share = np.repeat([0.5 / len(present), 0.5 / len(absent)], [len(present), len(absent)]) * len(rows)
    used = np.ones(len(FEATURES), bool)
    while True:
        found = _newton(rows[:, used], target, share)
        if (found[1:] >= 0).all() or not used.any():
            break
        used[np.flatnonzero(used)[found[1:] < 0]] = False
    weights = np.zeros(len(FEATURES))
    weights[used] = found[1:]
    return ConfidenceModel(float(found[0]), dict(zip(FEATURES, weights.tolist(), strict=True)))


def _newton(rows: np.ndarray, target: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(1 + d,) intercept and weights of a logistic regression with a ridge on the weights."""
    design = np.column_stack([np.ones(len(rows)), rows])
    ridge = np.diag([1e-6, *np.full(rows.shape[1], _RIDGE)])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (share * (target - probability)) - ridge @ weights
        curvature = (design * (share * probability * (1 - probability))[:, None]).T @ design + ridge
        weights = weights + np.linalg.solve(curvature, gradient)
    return weights
