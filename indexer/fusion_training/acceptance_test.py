"""Is a trained fusion better than the average on items that it was not trained on, and worse nowhere?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from magpie.indexer.fusion.average_fusion import Fusion, TextWeighing, fuse
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage
from magpie.indexer.fusion_training.examples import FusionExamples
from magpie.indexer.paired_test import Comparison, ndcg

FEWEST_JUDGED = 100  # queries; on fewer no fusion is judged to be better
_DECISIVE = "held_out"  # words that stand in the text are found by the lexical index anyway
_USUAL = "whole"


def judge(fusion: Fusion, examples: FusionExamples, num_queries: int, weighing: TextWeighing) -> dict[str, Any]:
    """The verdict: `passed`, `gain` in nDCG@10 over all, and the comparison for each kind of query.

    The first `num_queries` examples ask, and the items of all are ranked. The kinds: `whole` items, items whose text
    lacks the query's words (`held_out`), items with text only, with picture only, and `mixed`, a third of each; and
    `by_picture`, where their pictures ask for the other whole items that answer the same words. A
    fusion passes if it is better where the text lacks the words, not worse for whole items, and clearly worse in no
    kind; on fewer than FEWEST_JUDGED queries none does. `gain` is over all kinds.
    """
    if num_queries < FEWEST_JUDGED:
        return {"passed": False, "gain": 0.0, "p": 1.0, "queries": num_queries, "kinds": {}}
    relevant, queries = examples.answers_to(num_queries), examples.queries[:num_queries]
    whole = {"text": examples.text, "image": examples.image}
    average = ImputedAverage.fit(whole, weighing.weigh(whole, examples.num_descriptive))
    kinds = {}
    averages, learned = [], []
    for name, (parts, num_descriptive) in _conditions(examples).items():
        weights = weighing.weigh(parts, num_descriptive)
        figures = [ndcg(queries @ fuse(one.contributions(parts, weights)).T, relevant) for one in (average, fusion)]
        kinds[name] = Comparison.of(*figures)
        averages.append(figures[0])
        learned.append(figures[1])
    kinds["by_picture"] = _by_picture(examples, relevant, [average, fusion], weighing)
    overall = Comparison.of(np.mean(averages, axis=0), np.mean(learned, axis=0))
    hurts = kinds[_USUAL].gain < 0 or any(kind.gain < 0 and kind.is_significant for kind in kinds.values())
    helps = kinds[_DECISIVE].gain > 0 and kinds[_DECISIVE].is_significant
    return {
        "passed": helps and not hurts,
        "gain": round(overall.gain, 4),
        "p": overall.p,
        "queries": num_queries,
        "kinds": {name: _as_reported(kind) for name, kind in kinds.items()},
    }


def _as_reported(comparison: Comparison) -> dict[str, float]:
    """A comparison as judgements are stored and shown."""
    return {"average": comparison.baseline, "learned": comparison.candidate, "p": comparison.p}


def _by_picture(
    examples: FusionExamples, relevant: np.ndarray, fusions: list[Fusion], weighing: TextWeighing
) -> Comparison:
    """The comparison for uploaded pictures as queries, which the training does not cover."""
    num_queries = len(relevant)
    others = relevant & ~np.eye(num_queries, relevant.shape[1], dtype=bool)
    asked = np.flatnonzero(examples.image[:num_queries].any(axis=1) & others.any(axis=1))
    whole = {"text": examples.text, "image": examples.image}
    weights = weighing.weigh(whole, examples.num_descriptive)
    figures = []
    for fusion in fusions:
        scores = examples.image[asked] @ fuse(fusion.contributions(whole, weights)).T
        scores[np.arange(len(asked)), asked] = -np.inf
        figures.append(ndcg(scores, others[asked]))
    return Comparison.of(*figures) if len(asked) else Comparison(0.0, 0.0, 1.0)


def _conditions(examples: FusionExamples) -> dict[str, tuple[Mapping[str, np.ndarray], np.ndarray]]:
    """By name of the condition the items' parts in it, with the number of descriptive words of their texts."""
    text, image, nothing = examples.text, examples.image, np.zeros_like(examples.text)
    third = np.arange(len(examples))[:, None] % 3
    return {
        "whole": ({"text": text, "image": image}, examples.num_descriptive),
        "held_out": ({"text": examples.reduced, "image": image}, examples.num_descriptive_reduced),
        "text_only": ({"text": text, "image": nothing}, examples.num_descriptive),
        "image_only": ({"text": nothing, "image": image}, np.zeros_like(examples.num_descriptive)),
        "mixed": (
            {"text": np.where(third == 1, 0, text), "image": np.where(third == 2, 0, image)},
            np.where(third[:, 0] == 1, 0, examples.num_descriptive),
        ),
    }
