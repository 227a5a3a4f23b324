"""Fits a ranker to click statistics: rows of candidates, trees over them, and how far to trust these."""

from collections.abc import Mapping

import numpy as np

from magpie.search.ranker.click_statistics import FOLDS, ClickStatistics, fold_of
from magpie.search.ranker.features import NAMES, features
from magpie.search.ranker.first_stage_arrays import FirstStage
from magpie.search.ranker.gamma_posterior import fit_kappa, level, rates_by_rank
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker_training.gradient_boosting import Rows, grow_trees


def fit_ranker(statistics: ClickStatistics, stages: Mapping[str, FirstStage]) -> Ranker:
    """The ranker of this statistics; deterministic."""
    rows = training_rows(statistics, stages)
    trees = grow_trees(rows, FOLDS)
    mean = np.zeros(len(rows.fold))
    for fold in range(FOLDS):
        mine = rows.fold == fold
        if mine.any():
            mean[mine] = trees.rates(fold, rows.values[mine])
    levels = np.zeros(len(mean))
    for query in np.unique(rows.query):
        of = rows.query == query
        levels[of] = level(mean[of], rows.exposure[of], rows.clicks[of], statistics.usual_rate)
    kappa = fit_kappa(mean * levels, rows.exposure, rows.clicks)
    return Ranker(trees, statistics, kappa, rates_by_rank(rows.rank, rows.expected, rows.clicks))


def training_rows(statistics: ClickStatistics, stages: Mapping[str, FirstStage]) -> Rows:
    """The rows of all queries that have both statistics and a first stage."""
    found = []
    for number, key in enumerate(statistics.queries):
        stage = stages.get(key)
        if stage is None:
            continue
        own = statistics.of_query(key, stage.ids)
        shown = np.flatnonzero(own.exposure > 0)
        values = features(stage, statistics, key)[shown]
        numbers = (np.full(len(shown), fold_of(key)), np.full(len(shown), number), shown)
        appeal = np.exp(statistics.appeal.at(stage.ids[shown], 0, fold_of(key)))
        counts = (own.exposure[shown], own.clicks[shown], own.expected[shown], appeal)
        found.append((values, *numbers, *counts))
    if not found:
        empty = np.zeros(0)
        return Rows(np.zeros((0, len(NAMES)), np.float32), *(empty.astype(np.int64),) * 3, *(empty,) * 4)
    return Rows(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
