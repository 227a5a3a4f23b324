"""Fits a catalogue's mix to sampled queries, on one half of them, and judges it against its parts on the other half.

The mix is the one with the best mean nDCG@10 over the kinds of query, less a penalty for each step away from the prior:
what is measured on few queries, or on texts that say little, must not outweigh what was measured elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from magpie.indexer.mix.mix import Mix
from magpie.indexer.mix.signals import Signals
from magpie.indexer.paired_test import Comparison, ndcg

FEWEST_QUERIES = 20
_VECTORS = (0.0, 0.2, 0.4, 2 / 3, 1.0, 4 / 3, 1.6, 2.0)  # of 2: vectors against words
_TEXTS = (0.0, 2 / 3, 1.0, 4 / 3, 2.0)  # of 2: texts against pictures
_POWERS = (0.0, 0.5, 1.0)
_PENALTY = 0.008  # of nDCG, for each step away from the prior; docs/notes/relevance.md
_LOSS_AVERSION = 3.0  # a kind of query that is behind its best part counts so many times its loss besides
_USUAL_QUERIES = 200.0
_SILENT = 0.5  # from here on texts say so little that queries made of them judge nothing
MARGIN = 0.005
_LEAST = 0.02  # of 2
_LIGHTER = (1.0, 0.5, 0.25)
PARTS: Mapping[str, Mix] = {
    "words": Mix(vectors=0.0),
    "text": Mix(vectors=2.0, text=2.0, image=0.0),
    "image": Mix(vectors=2.0, text=0.0, image=2.0),
}


@dataclass(frozen=True)
class Fitted:
    """A fitted mix. `judgement` has by kind of query, and for "all", the mean nDCG@10 of the mix and of each part, on
    queries that it was not fitted to; `fallback` names the part that it was replaced by, "" where it holds."""

    mix: Mix
    judgement: Mapping[str, Mapping[str, Any]]
    fallback: str = ""


def fit_mix(signals: Signals, prior: Mix, silence: float) -> Fitted:
    """The mix for these signals; the `prior` without enough queries. A mix that is behind its best part on the queries
    of the other half by more than .005 is replaced by that part."""
    half = _every_second_of_each_kind(signals.kinds)
    fitted_to, judged_on = signals.take(np.flatnonzero(half)), signals.take(np.flatnonzero(~half))
    if len(fitted_to) < FEWEST_QUERIES:
        return Fitted(prior, {})
    is_silent = silence >= _SILENT
    found = prior if is_silent else _search(fitted_to, prior)
    parts = {name: ndcg_of(judged_on, part) for name, part in PARTS.items()}
    best = max(parts, key=lambda name: float(parts[name].mean()))
    # fewer vectors before none, where words are the best part
    lighter = [replace(found, vectors=found.vectors * share) for share in _LIGHTER] if best == "words" else [found]
    for mix in lighter:
        reached = ndcg_of(judged_on, mix)
        if is_silent or float((reached - parts[best]).mean()) >= -MARGIN:
            return Fitted(_leave_nothing_out(mix), _judge({"mix": reached, **parts}, judged_on.kinds))
    return Fitted(_leave_nothing_out(PARTS[best]), _judge({"mix": parts[best], **parts}, judged_on.kinds), best)


def _leave_nothing_out(mix: Mix) -> Mix:
    """The mix with a little of what decides nothing, to order what is alike otherwise."""
    return replace(mix, vectors=min(2 - _LEAST, max(_LEAST, mix.vectors)))


def ndcg_of(signals: Signals, mix: Mix) -> np.ndarray:
    """(q,) nDCG@10 of the queries by this mix."""
    return ndcg(scores_of(signals, mix), signals.relevant)


def scores_of(signals: Signals, mix: Mix) -> np.ndarray:
    """(q, n) float32 scores by this mix; see `mix.Mix.of_query`."""
    known = zip(signals.known_words.tolist(), signals.known_by_encoder.tolist(), strict=True)
    weights = np.array(
        [[w.words, w.text, w.image] for w in (mix.of_query(*of_query) for of_query in known)], np.float32
    )
    words, text, image = weights.T[:, :, None]
    return np.asarray(words * signals.words + text * signals.text + image * signals.image)


def _search(signals: Signals, prior: Mix) -> Mix:
    """The best mix of the grid around the prior, by penalised nDCG: one weight after the other, twice."""
    penalty = _PENALTY * max(1.0, _USUAL_QUERIES / len(signals))
    best_part = np.max([_by_kind(ndcg_of(signals, part), signals.kinds) for part in PARTS.values()], axis=0)

    def worth(mix: Mix) -> float:
        reached = _by_kind(ndcg_of(signals, mix), signals.kinds)
        lost = np.maximum(0, best_part - reached)
        return float((reached - _LOSS_AVERSION * lost).mean()) - penalty * _steps(mix, prior)

    best, reached = prior, worth(prior)
    choices = {"vectors": _VECTORS, "text": _TEXTS, "power": _POWERS}
    for name in [*choices, *choices]:
        for value in choices[name]:
            mix = replace(best, text=value, image=2 - value) if name == "text" else replace(best, **{name: value})
            if (found := worth(mix)) > reached:
                best, reached = mix, found
    return best


def _steps(mix: Mix, prior: Mix) -> float:
    """How many steps of the grid, about, lie between two mixes."""
    return 3 * abs(mix.vectors - prior.vectors) + 3 * abs(mix.text - prior.text) + 2 * abs(mix.power - prior.power)


def _every_second_of_each_kind(kinds: np.ndarray) -> np.ndarray:
    """(q,) bool: every second query of each kind."""
    chosen = np.zeros(len(kinds), bool)
    for kind in np.unique(kinds):
        chosen[np.flatnonzero(kinds == kind)[::2]] = True
    return chosen


def _by_kind(figures: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """(k,) mean figure of each kind of query, in alphabetical order."""
    return np.array([figures[kinds == kind].mean() for kind in np.unique(kinds)])


def _judge(figures: Mapping[str, np.ndarray], kinds: np.ndarray) -> dict[str, dict[str, Any]]:
    judged: dict[str, dict[str, Any]] = {}
    for kind in ["all", *dict.fromkeys(kinds.tolist())]:
        of_kind = np.ones(len(kinds), bool) if kind == "all" else kinds == kind
        best = max(PARTS, key=lambda name: float(figures[name][of_kind].mean()))
        judged[kind] = {"queries": int(of_kind.sum())}
        judged[kind] |= {name: round(float(values[of_kind].mean()), 4) for name, values in figures.items()}
        judged[kind] |= {"best_part": best, "p": Comparison.of(figures[best][of_kind], figures["mix"][of_kind]).p}
    return judged
