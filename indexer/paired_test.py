"""Is a candidate better than a baseline on the same queries? nDCG@10 by query, and a paired test of the difference."""

import math
from dataclasses import dataclass

import numpy as np

_DEPTH = 10
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Comparison:
    """Mean nDCG@10 of a baseline and of a candidate over the same queries, and the p value of their difference."""

    baseline: float
    candidate: float
    p: float

    @classmethod
    def of(cls, baseline: np.ndarray, candidate: np.ndarray) -> "Comparison":
        """Compares (n,) figures of the same queries, two-sided (the normal approximation of the paired t-test)."""
        difference = candidate - baseline
        error = float(difference.std(ddof=1)) / math.sqrt(len(difference)) if len(difference) > 1 else 0.0
        p = math.erfc(abs(float(difference.mean())) / error / math.sqrt(2)) if error > 0 else 1.0
        return cls(round(float(baseline.mean()), 4), round(float(candidate.mean()), 4), round(p, 4))

    @property
    def gain(self) -> float:
        return self.candidate - self.baseline

    @property
    def is_significant(self) -> bool:
        return self.p < _SIGNIFICANT


def ndcg(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """(q,) nDCG@10 of (q, n) scores with binary relevance (q, n); each query has at least one relevant item."""
    best = np.argpartition(-scores, min(_DEPTH, scores.shape[1]) - 1, axis=1)[:, :_DEPTH]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    ranked = np.take_along_axis(best, order, axis=1)
    discounts = 1 / np.log2(np.arange(2, 2 + ranked.shape[1]))
    found = np.take_along_axis(relevant, ranked, axis=1) @ discounts
    ideal = np.cumsum(discounts)[np.minimum(relevant.sum(axis=1), ranked.shape[1]) - 1]
    return np.asarray(found / ideal)
