"""Scores the items that may be recommended: what goes with somebody's choices, or what is popular."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.item_counts import ItemCount
from magpie.search.live_index.segment import Segment
from magpie.search.personalisation.personalise import (
    Located,
    Preferences,
    locate,
    locate_chosen,
    shared_values,
    usual_agreement,
)

_NEIGHBOURS = 100  # of each item that recommendations start from
STARTS = 10  # strongest choices whose neighbours become candidates
_POPULAR = 100
_UNKNOWN_PEOPLE = 5.0  # by whom each item counts as chosen, with nothing else: rare items have few friends for sure
_ONE_PERSON = 0.2  # of a person, that a pair counts which nobody else chose: nobody alone brings an item to the front
_SHARPNESS = 5.0  # of the cosine: what looks alike counts, what has a little in common does not
_AGREEING = 0.5  # of likeness, for all attributes on which the choices agree
_POPULARITY = 1e-3  # decides only where nothing else does
_RELEVANCE = 0.7  # against diversity
NEW_EVERY = 5  # every fifth place among popular items goes to a hardly shown one


@dataclass(frozen=True)
class Mix:
    """What likeness counts beside co-clicks (None: likeness alone), and the people by whom a pair is doubted."""

    likeness: float | None = 0.1
    doubt: float = 2.0


@dataclass(frozen=True)
class Recommended:
    """Items in order: (n,) `items.id` and scores; `new` are the places, from 0, given to hardly shown items."""

    ids: np.ndarray
    scores: np.ndarray
    new: tuple[int, ...] = ()


def together_scores(
    together: Mapping[str, int], item_id: str, counts: Mapping[str, ItemCount], doubt: float
) -> dict[str, float]:
    """Co-click scores by item id: the cosine both / sqrt(own · other), shrunk by (both - .8) / (both + doubt).

    `together` is the number of people who chose both, `counts` has the number of people of each item. As if every item
    had been chosen by _UNKNOWN_PEOPLE more with nothing else, one person brings two rare items hardly together.
    """
    own = max(1, counts.get(item_id, ItemCount()).people)
    scores = {}
    for other, both in together.items():
        people = max(both, counts.get(other, ItemCount()).people) + _UNKNOWN_PEOPLE
        scores[other] = both / ((max(own, both) + _UNKNOWN_PEOPLE) * people) ** 0.5
        scores[other] *= (both - 1 + _ONE_PERSON) / (both + doubt)
    return scores


@dataclass(frozen=True)
class Candidates:
    """What may be recommended for some choices: (m,) `items.id`, and (m,) likeness to the choices by their weights.

    Likeness is exp(5 (cosine - 1)) of the fused vectors, summed over the choices, and as much again, halved, for having
    the attribute values on which the choices agree.
    """

    ids: np.ndarray
    likeness: np.ndarray
    choices: np.ndarray  # (h,) `items.id`
    weights: np.ndarray  # (h,)

    def scores(self, together: Mapping[int, Mapping[int, float]], likeness: float | None) -> np.ndarray:
        """(m,) the co-click scores with the choices (`together`, by the choice's and the item's `items.id`), by their
        weights, and what likeness counts beside them (None: likeness alone)."""
        if likeness is None:
            return self.likeness
        total = likeness * self.likeness
        for one, weight in zip(self.choices.tolist(), self.weights.tolist(), strict=True):
            known = together.get(one, {})
            total = total + weight * np.array([known.get(int(id_), 0.0) for id_ in self.ids])
        return total


def find_candidates(
    segments: Sequence[Segment], preferences: Preferences, others: set[int], excluded: set[int]
) -> Candidates | None:
    """The neighbours of the strongest choices, and `others`, without choices and `excluded` items; None where no choice
    is indexed any more."""
    chosen, weights = locate_chosen(preferences, segments)
    if not len(chosen):
        return None
    choices = ids_of(chosen)
    strongest = np.argsort(-weights, kind="stable")[:STARTS]
    near = _neighbours(segments, choices[strongest].tolist())
    found = _candidates(segments, near | others, excluded | set(preferences.ids.tolist()))
    likeness = np.exp(_SHARPNESS * (found.vectors @ chosen.vectors.T - 1)) @ weights
    likeness = likeness + _AGREEING * weights.sum() * _shared_attributes(found, chosen, weights)
    return Candidates(ids_of(found), likeness, choices, weights)


def recommend_for_choices(
    segments: Sequence[Segment],
    preferences: Preferences,
    together: Mapping[int, Mapping[int, float]],
    popularity: Mapping[int, float],
    excluded: set[int],
    k: int,
    likeness: float | None,
) -> Recommended:
    """The best `k` items for somebody's choices, by co-clicks and likeness; neither a choice nor an `excluded` item.

    `popularity` (0 to 1, by `items.id`) decides between equal ones. Empty where no choice is indexed any more.
    """
    others = set(popularity).union(*together.values())
    found = find_candidates(segments, preferences, others, excluded)
    if found is None:
        return Recommended(np.zeros(0, np.int64), np.zeros(0))
    liked = np.array([popularity.get(int(one), 0.0) for one in found.ids])
    scores = found.scores(together, likeness) + _POPULARITY * liked
    best = np.lexsort((found.ids, -scores))[:k]
    return Recommended(found.ids[best], scores[best])


def recommend_popular(
    segments: Sequence[Segment], rates: Mapping[int, float], cold: Sequence[int], excluded: set[int], k: int
) -> Recommended:
    """The best `k` items for somebody without known choices: popular ones, diversified, every fifth place a cold item.

    `rates` are debiased click rates by `items.id`; where there are too few, the newest items fill up. `cold` are hardly
    shown items (`items.id`), the first to be placed first. No `excluded` item is recommended.
    """
    living = np.sort(np.concatenate([segment.ids[~segment.dead] for segment in segments]))[::-1]
    liked = set(rates) - excluded
    newest = {int(one) for one in living[: 2 * k + len(excluded)]} if len(liked) < 2 * k else set()
    found = _candidates(segments, liked | newest, excluded)
    ids = ids_of(found)
    scores = np.array([rates.get(int(one), 0.0) for one in ids])
    best = ids[diversify(_unit(scores), found.vectors, k)].tolist()
    fresh = [one for one in cold if one not in best and one not in excluded]
    places = [place for place, _ in zip(range(NEW_EVERY - 1, len(best), NEW_EVERY), fresh, strict=False)]
    for place, one in zip(places, fresh, strict=False):
        best[place] = one
    return Recommended(np.array(best, np.int64), np.array([rates.get(one, 0.0) for one in best]), tuple(places))


def diversify(scores: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    """(m,) int64 places of at most `k` items, best first, by maximal marginal relevance.

    From (n,) scores and (n, dim) unit rows: each next item maximises 0.7 · score - 0.3 · its highest cosine with the
    items before it (Carbonell and Goldstein, SIGIR 1998).
    """
    left = np.lexsort((np.arange(len(scores)), -scores))[: max(10 * k, _POPULAR)]
    chosen: list[int] = []
    closest = np.full(len(left), -1.0)
    for _ in range(min(k, len(left))):
        worth = _RELEVANCE * scores[left] - (1 - _RELEVANCE) * np.maximum(closest, 0)
        worth[np.isin(left, chosen)] = -np.inf
        best = int(left[int(np.argmax(worth))])
        chosen.append(best)
        closest = np.maximum(closest, vectors[left] @ vectors[best])
    return np.array(chosen, np.int64)


def ids_of(items: Located) -> np.ndarray:
    """(n,) int64 `items.id` of n located items."""
    ids = np.zeros(len(items), np.int64)
    for number, segment in enumerate(items.segments):
        mine = items.of_segment == number
        ids[mine] = segment.ids[items.rows[mine]]
    return ids


def _shared_attributes(candidates: Located, chosen: Located, weights: np.ndarray) -> np.ndarray:
    """(n,) from 0 to 1: how far each candidate has the attribute values that the choices agree on."""
    suits, agreements = np.zeros(len(candidates)), 0.0
    for name in sorted({name for segment in candidates.segments for name in segment.columns.grouping}):
        shares, agreement = shared_values(chosen.words(name), weights, usual_agreement(candidates.segments, name))
        suits += agreement * np.minimum(1.0, candidates.sums(name, shares))
        agreements += agreement
    return suits / max(1.0, agreements)


def _neighbours(segments: Sequence[Segment], ids: Sequence[int]) -> set[int]:
    """The `items.id` of the nearest neighbours of all these items."""
    found: set[int] = set()
    for id_ in ids:
        own, _ = locate_chosen(Preferences(np.array([id_]), np.ones(1, np.float32)), segments)
        for segment in segments if len(own) else ():
            near = segment.indexes["fused"].search(segment.fused_query(own.vectors[0]), _NEIGHBOURS, ~segment.dead)
            found |= {int(one) for one in segment.ids[near.rows]}
    return found


def _candidates(segments: Sequence[Segment], ids: set[int], excluded: set[int]) -> Located:
    kept = np.array(sorted(ids - excluded), np.int64)
    of_segment, rows = np.full((2, len(kept)), -1)
    for number, segment in enumerate(segments):
        own = segment.rows_of(kept)
        of_segment[own >= 0], rows[own >= 0] = number, own[own >= 0]
    there = np.flatnonzero(rows >= 0)
    return locate(segments, of_segment[there], rows[there])


def _unit(scores: np.ndarray) -> np.ndarray:
    highest = float(scores.max(initial=0.0))
    return scores / highest if highest > 0 else scores
