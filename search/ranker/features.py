"""The features of a search's candidates: the one definition for training and for serving."""

import numpy as np

from magpie.search.ranker.click_statistics import NEW_QUERY, ClickStatistics, fold_of
from magpie.search.ranker.first_stage_arrays import FirstStage

NAMES = (
    *("score", "score_z", "score_gap", "similarity", "words", "by_text", "by_image"),
    *("has_text", "has_image", "text_weight", "agreement", "price_z", "newness"),
    *("kinship", "kinship_z", "kindred_rate", "item_rate", "item_expected", "conversion", "affinity"),
    *("by_text_z", "by_image_z", "fit", "fit_gap", "conflict", "conflict_gap"),
    *("tag_affinity", "tag_affinity_z", "tag_affinity_gap", "tag_rate", "tag_rate_z"),
)
_ITEM_PRIOR = 4.0
_SIMILAR_PRIOR = 2.0
_CONVERSION_PRIOR = 10.0
_HEAD = 10


def features(stage: FirstStage, statistics: ClickStatistics, key: str) -> np.ndarray:
    """(n, len(NAMES)) float32 of the candidates of the query with this key.

    The position at which something was shown is not among them, and no count is of this query's own clicks: a
    known query is seen as its fold saw it, without that fold's queries.
    """
    fold = fold_of(key) if statistics.knows(key) else NEW_QUERY
    others = statistics.of_other_queries(key, stage.ids)
    similar_clicks, similar_expected = statistics.of_similar_queries(key, stage.query, stage.ids)
    by_word, anyway = statistics.affinities.of_tags(key, stage.likely, len(stage), fold)
    _, _, fit, conflict = stage.places(key).T
    by_kernel = stage.vectors @ statistics.query_kernel(fold).direction(stage.query)
    compared = [stage.scores, by_kernel, stage.by_text, stage.by_image, by_word, anyway]
    score_z, by_kernel_z, by_text_z, by_image_z, by_word_z, anyway_z = _all_standardised(np.stack(compared))
    columns = {
        "score": stage.scores,
        "score_z": score_z,
        "score_gap": _behind(stage.scores),
        "similarity": stage.similarity,
        "words": stage.words,
        "by_text": stage.by_text,
        "by_image": stage.by_image,
        "has_text": stage.has_text,
        "has_image": stage.has_image,
        "text_weight": stage.text_weight,
        "agreement": _agreement(stage),
        "price_z": _standardised(stage.price),
        "newness": _newness(stage.ids),
        "kinship": by_kernel,
        "kinship_z": by_kernel_z,
        "kindred_rate": np.log((similar_clicks + _SIMILAR_PRIOR) / (similar_expected + _SIMILAR_PRIOR)),
        "item_rate": np.log((others.clicks + _ITEM_PRIOR) / (others.expected + _ITEM_PRIOR)),
        "item_expected": np.log1p(others.expected),
        "conversion": (others.conversions + _CONVERSION_PRIOR * statistics.usual_conversion)
        / (others.clicks + _CONVERSION_PRIOR),
        "affinity": statistics.affinities.of_query(key, stage.ids, fold),
        "by_text_z": by_text_z,
        "by_image_z": by_image_z,
        "fit": fit,
        "fit_gap": _behind(fit),
        "conflict": conflict,
        "conflict_gap": _behind(conflict),
        "tag_affinity": by_word,
        "tag_affinity_z": by_word_z,
        "tag_affinity_gap": _behind(by_word),
        "tag_rate": anyway,
        "tag_rate_z": anyway_z,
    }
    values = np.empty((len(stage), len(NAMES)), np.float32)
    for place, name in enumerate(NAMES):
        values[:, place] = columns[name]
    return values


def _behind(values: np.ndarray) -> np.ndarray:
    """Each value minus the largest of the list."""
    return values - values.max(initial=-np.inf)


def _all_standardised(rows: np.ndarray) -> np.ndarray:
    """Deviations from the mean of each row (k, n), n may be 0."""
    if not rows.size:
        return rows
    return np.asarray((rows - rows.mean(axis=1, keepdims=True)) / (rows.std(axis=1, keepdims=True) + 1e-6))


def _standardised(values: np.ndarray) -> np.ndarray:
    """Deviations from the mean of the list; NaN stays NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    return (values - known.mean()) / (known.std() + 1e-6)


def _agreement(stage: FirstStage) -> np.ndarray:
    """Cosine of each candidate with the mean of the first ten: pseudo-relevance feedback."""
    head = stage.vectors[:_HEAD].sum(axis=0)
    length = float(np.linalg.norm(head))
    return stage.vectors @ (head / length) if length > 0 else np.zeros(len(stage), np.float32)


def _newness(ids: np.ndarray) -> np.ndarray:
    """The share of the candidates that entered the catalogue before each one."""
    return np.argsort(np.argsort(ids)) / max(len(ids) - 1, 1)
