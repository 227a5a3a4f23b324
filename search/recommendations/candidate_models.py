"""Scores items to recommend: similar items, co-clicks, shared attributes of recent choices, popularity."""

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
_STARTS = 10  # strongest choices whose neighbours become candidates
_POPULAR = 100
_TOGETHER = 1.0  # weight of co-clicks
_TASTE = 0.3  # weight of attributes that the choices share
_POPULARITY = 0.1
_SHARPNESS = 10.0  # inverse temperature of attention over the choices
_RELEVANCE = 0.7  # against diversity
NEW_EVERY = 5  # every fifth place among popular items goes to a hardly shown one


@dataclass(frozen=True)
class Recommended:
    """Items in order: (n,) `items.id` and scores; `new` are the places, from 0, given to hardly shown items."""

    ids: np.ndarray
    scores: np.ndarray
    new: tuple[int, ...] = ()


def together_scores(together: Mapping[str, int], item_id: str, counts: Mapping[str, ItemCount]) -> dict[str, float]:
    """Co-click scores from 0 to 1 by item id: both / sqrt(own · other), shrunk by both / (both + 2) where few did.

    `together` is the number of people who chose both, `counts` has the number of people of each item.
    """
    own = max(1, counts.get(item_id, ItemCount()).people)
    scores = {}
    for other, both in together.items():
        people = max(both, counts.get(other, ItemCount()).people)
        scores[other] = min(1.0, both / (max(own, both) * people) ** 0.5) * both / (both + 2)
    return scores


def recommend_beside(
    segments: Sequence[Segment], id_: int, together: Mapping[int, float], excluded: set[int], k: int
) -> Recommended:
    """The best `k` items beside an item: by cosine of fused vectors plus co-click score.

    `together` are co-click scores by `items.id`. Neither the item itself nor `excluded` ones are recommended.
    """
    near = _neighbours(segments, [id_])
    candidates = _candidates(segments, near | set(together), excluded | {id_})
    own, _ = locate_chosen(Preferences(np.array([id_]), np.ones(1, np.float32)), segments)
    alike = candidates.vectors @ own.vectors[0] if len(own) else np.zeros(len(candidates))
    ids = ids_of(candidates)
    scores = alike + _TOGETHER * np.array([together.get(int(one), 0.0) for one in ids])
    best = np.lexsort((ids, -scores))[:k]
    return Recommended(ids[best], scores[best])


def recommend_for_preferences(
    segments: Sequence[Segment],
    preferences: Preferences,
    together: Mapping[int, float],
    popularity: Mapping[int, float],
    excluded: set[int],
    k: int,
) -> Recommended:
    """The best `k` items for somebody's choices, diversified; neither a choice nor an `excluded` item.

    The score is the sum of attention over the choices (Zhou et al., Deep interest network, 2018, without its network),
    shared attributes, co-click scores (`together`) and `popularity` (0 to 1), both by `items.id`. Empty where no choice
    is indexed any more.
    """
    chosen, weights = locate_chosen(preferences, segments)
    if not len(chosen):
        return Recommended(np.zeros(0, np.int64), np.zeros(0))
    strongest = np.argsort(-weights, kind="stable")[:_STARTS]
    near = _neighbours(segments, ids_of(chosen)[strongest].tolist())
    candidates = _candidates(
        segments, near | set(together) | set(popularity), excluded | {int(one) for one in preferences.ids}
    )
    ids = ids_of(candidates)
    scores = _attention(candidates.vectors, chosen.vectors, weights) + _TASTE * _shared_attributes(
        candidates, chosen, weights
    )
    scores += _TOGETHER * np.array([together.get(int(one), 0.0) for one in ids])
    scores += _POPULARITY * np.array([popularity.get(int(one), 0.0) for one in ids])
    order = diversify(scores, candidates.vectors, k)
    return Recommended(ids[order], scores[order])


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


def _attention(candidates: np.ndarray, chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) each candidate's attention-weighted mean cosine with the choices."""
    cosines = candidates @ chosen.T
    attention = weights * np.exp(_SHARPNESS * (cosines - 1))
    return np.asarray((attention * cosines).sum(axis=1) / attention.sum(axis=1), np.float64)


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
    places = [
        (number, row) for one in kept for number, s in enumerate(segments) if (row := s.row_of(int(one))) is not None
    ]
    of_segment, rows = np.array(places, np.int64).reshape(-1, 2).T
    return locate(segments, of_segment, rows)


def _unit(scores: np.ndarray) -> np.ndarray:
    highest = float(scores.max(initial=0.0))
    return scores / highest if highest > 0 else scores
