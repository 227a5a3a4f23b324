"""Learns from the log's own visits how to mix likeness and co-clicks: by which mix people's last choices come first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from magpie.data.aggregates.co_clicks import Visit, count_co_clicks, read_latest_visits
from magpie.data.aggregates.item_counts import ItemCount
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import Database
from magpie.search.live_index.segment import Segment
from magpie.search.personalisation.personalise import Preferences
from magpie.search.personalisation.popularity import Popularity
from magpie.search.recommendations.candidate_models import STARTS, Mix, find_candidates, together_scores

FEWEST_VISITS, _MOST_VISITS = 50, 200
_DOUBTS = (0.5, 2.0, 8.0)
MIXES = [Mix(likeness, doubt) for likeness in (0.01, 0.05, 0.1, 0.2, 0.4, 1.0) for doubt in _DOUBTS] + [Mix(None)]
_TOP = 10


def learn_mix(database: Database, catalogue: Catalogue, segments: Sequence[Segment], popularity: Popularity) -> Mix:
    """The mix under which the last choice of the latest visits stands highest among what the choices before recommend.

    It is no worse there than co-clicks alone or likeness alone, which are among the mixes tried. A visit's own choices
    are taken out of the counts. With fewer than FEWEST_VISITS visits, the mix that is used before anything is learned.
    """
    visits = read_latest_visits(database, _MOST_VISITS)
    if len(visits) < FEWEST_VISITS:
        return Mix()
    worth = np.zeros(len(MIXES))
    for visit in visits:
        worth += _found_by_each(database, catalogue, segments, popularity, visit)
    return MIXES[int(np.argmax(worth))] if worth.max() > 0 else Mix()


def _found_by_each(
    database: Database, catalogue: Catalogue, segments: Sequence[Segment], popularity: Popularity, visit: Visit
) -> np.ndarray:
    """(mixes,) 1 / log2(1 + rank) of the visit's last choice under each mix, 0 where it is not among the first ten."""
    given, last = visit.items[:-1][-STARTS:], visit.items[-1]
    people = {item: count_co_clicks(database, item, visit.person) for item in given}
    numbers = catalogue.ids_of(list({last, *given, *(other for found in people.values() for other in found)}))
    if last not in numbers:
        return np.zeros(len(MIXES))
    counts = _without(popularity.counts, visit)
    choices = np.array([numbers[item] for item in given if item in numbers], np.int64)
    others = {numbers[other] for found in people.values() for other in found if other in numbers}
    preferences = Preferences(choices, np.ones(len(choices), np.float32))
    candidates = find_candidates(segments, preferences, others, set())
    if candidates is None:
        return np.zeros(len(MIXES))
    together = {
        doubt: {
            numbers[item]: {
                numbers[other]: score
                for other, score in together_scores(people[item], item, counts, doubt).items()
                if other in numbers
            }
            for item in given
            if item in numbers
        }
        for doubt in _DOUBTS
    }
    worth = np.zeros(len(MIXES))
    for place, mix in enumerate(MIXES):
        scores = candidates.scores(together[mix.doubt], mix.likeness)
        best = candidates.ids[np.lexsort((candidates.ids, -scores))[:_TOP]]
        rank = np.flatnonzero(best == numbers[last])
        worth[place] = 1 / np.log2(2 + rank[0]) if len(rank) else 0.0
    return worth


def _without(counts: Mapping[str, ItemCount], visit: Visit) -> dict[str, ItemCount]:
    own = {item: counts[item] for item in visit.items if item in counts}
    return dict(counts) | {item: replace(count, people=max(count.people - 1, 0)) for item, count in own.items()}
