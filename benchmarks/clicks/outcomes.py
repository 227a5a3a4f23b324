"""Measures rankings of simulated candidates: the gain as a share of the best order's, and the queries that lose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from people import SHOWN, Behaviour, World

CANDIDATES = 50  # the best order is sought among so many
Orders = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """nDCG@10; the shares of the gap to the best order of nDCG@10 and of true clicks (each query by its traffic) that
    are closed; and the shares of queries that lose more than .01 and .05 nDCG@10."""

    ndcg: float
    ndcg_gap: float
    clicks_gap: float
    lose_1: float
    lose_5: float


def outcome(world: World, keys: Sequence[str], orders: Orders, behaviour: Behaviour) -> Outcome:
    """Of the queries `keys`, the busiest first."""
    before, after, best = (
        np.array([_worth(world, key, order, behaviour) for key, order in ((key, choose(key)) for key in keys)])
        for choose in (lambda key: np.arange(CANDIDATES), lambda key: orders[key], lambda key: best_order(world, key))
    )
    traffic = np.stack([np.ones(len(keys)), np.arange(1, len(keys) + 1) ** -0.8], axis=1)
    gaps = (traffic * (after - before)).sum(axis=0) / (traffic * (best - before)).sum(axis=0)
    losses = before[:, 0] - after[:, 0]
    lost = [float((losses > by).mean()) for by in (0.01, 0.05)]
    return Outcome(float(after[:, 0].mean()), float(gaps[0]), float(gaps[1]), *lost)


def best_order(world: World, key: str) -> np.ndarray:
    """The first candidates, the most wanted first."""
    return np.argsort(-world.wants[key][:CANDIDATES], kind="stable")


def true_clicks(world: World, key: str, order: np.ndarray, behaviour: Behaviour) -> float:
    """Expected clicks a search on the first SHOWN of an order, by what is wanted alone; for a cascade by the chance of
    getting so far."""
    wants = world.wants[key][order[:SHOWN]]
    if behaviour.cascade:
        stays = 0.88 * (1 - wants * (0.1 + 0.7 * wants))
        return float((wants * np.concatenate([[1.0], np.cumprod(stays)[:-1]])).sum())
    return float((wants * behaviour.examination(np.arange(1, len(wants) + 1))).sum())


def _worth(world: World, key: str, order: np.ndarray, behaviour: Behaviour) -> tuple[float, float]:
    return ndcg_at_10(world, key, order), true_clicks(world, key, order, behaviour)


def ndcg_at_10(world: World, key: str, order: np.ndarray) -> float:
    """nDCG@10 with gain 2^grade - 1."""
    discounts = np.log2(np.arange(2, 12))
    gains, ideal = (2.0 ** world.grades[key][order[:10]] - 1), 2.0 ** world.ideals[key] - 1
    best = float((ideal / discounts[: len(ideal)]).sum())
    return float((gains / discounts[: len(gains)]).sum()) / best if best else 0.0
