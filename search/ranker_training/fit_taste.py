"""Learns from the log's own sessions how much an agreement with earlier choices raises the next click, by attribute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.session_searches import SessionSearch, read_session_searches
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import Database
from magpie.data.settings import Settings
from magpie.search.click_models.conditional_poisson import Strata, fit
from magpie.search.click_models.saved_bias import read_position_bias
from magpie.search.live_index.segment import Segment
from magpie.search.personalisation.personalise import (
    TOP,
    Preferences,
    locate_chosen,
    named_fields,
    preference_features,
    session_weights,
)
from magpie.search.personalisation.taste import LOOKS, Taste, save_taste
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest

FEWEST_SEARCHES, _MOST_SEARCHES = 300, 4_000
_LATER_SHARE = 1 / 3  # of the searches, by which taste is judged
_PRIOR_DEVIATION = 1.0  # of what a full agreement adds to the logarithm of a click rate
_SURELY = 1.28  # standard errors: one-sided 90 %
_MOST = 3.0  # standard deviations of the scores
_LEAST_FALL = 0.2  # of the logarithm of the rate with that of the position
Parse = Callable[[SearchRequest], ParsedQuery]


@dataclass(frozen=True)
class _Pages:
    """The hits of searches in sessions, (n,) rows: the number of the search, the position, its usual click rate and
    whether it was clicked, and (n, p) agreements with earlier choices under `names`."""

    names: list[str]
    search: np.ndarray
    position: np.ndarray
    due: np.ndarray
    clicked: np.ndarray
    agreement: np.ndarray


def learn_taste(settings: Settings, database: Database, segments: Sequence[Segment], parse: Parse) -> Taste | None:
    """The taste learned, which is saved too; None, and what is assumed stays, with fewer than FEWEST_SEARCHES.

    Given the clicks of a search, they fall on its hits by the usual click rates of their positions times
    exp(agreement @ weights) (a conditional logit: McFadden 1974). What raises clicks on the earlier searches counts if
    it foretells those of the later ones better than no taste, surely; else nothing counts.
    """
    searches = read_session_searches(database, _MOST_SEARCHES)
    if len(searches) < FEWEST_SEARCHES:
        return None
    pages = _gather(searches, Catalogue(database, settings), segments, parse)
    spread = _spread_of_scores(pages, read_position_bias(settings).propensities.cautious.at(pages.position))
    cut = int((1 - _LATER_SHARE) * len(searches))
    early, late = _strata(pages, pages.search < cut), _strata(pages, pages.search >= cut)
    weights = _positive(early)
    nothing = np.zeros(len(weights))
    gains = late.likelihood_by_group(weights, len(searches)) - late.likelihood_by_group(nothing, len(searches))
    if gains.sum() <= _SURELY * np.sqrt((gains**2).sum()):
        taste = Taste({}, 0.0)
    else:
        weights = np.minimum(_positive(_strata(pages, np.ones(len(pages.search), bool))) / spread, _MOST)
        taste = Taste({name: round(float(one), 4) for name, one in zip(pages.names, weights, strict=True)}, 0.0)
    save_taste(settings, taste)
    return taste


def _gather(
    searches: Sequence[SessionSearch], catalogue: Catalogue, segments: Sequence[Segment], parse: Parse
) -> _Pages:
    names = [LOOKS, *sorted({name for segment in segments for name in segment.columns.grouping})]
    numbers = catalogue.ids_of(sorted({item for one in searches for item in (*one.shown, *one.earlier)}))
    longest = max(len(one.shown) for one in searches)
    shown, clicked = np.zeros((2, longest))
    for one in searches:
        shown[: len(one.shown)] += 1
        clicked[: len(one.shown)] += one.clicked
    usual = (clicked + clicked.sum() / shown.sum()) / (shown + 1)
    parsed: dict[str, tuple[np.ndarray | None, set[str]]] = {}
    rows: list[tuple[np.ndarray, ...]] = []
    for number, one in enumerate(searches):
        if one.text not in parsed:
            found = parse(SearchRequest(text=one.text))
            parsed[one.text] = found.vector, named_fields(found, segments)
        vector, named = parsed[one.text]
        ids = np.array([numbers.get(item, -1) for item in one.shown], np.int64)
        earlier = np.array([numbers[item] for item in dict.fromkeys(one.earlier) if item in numbers], np.int64)
        chosen, weights = locate_chosen(Preferences(earlier, session_weights(len(earlier))), segments)
        hits, place = locate_chosen(Preferences(ids, np.arange(len(ids), dtype=np.float32)), segments)
        if len(chosen) and len(hits) > 1:
            by_name = preference_features(chosen, weights, hits, vector, named)
            at = place.astype(int)
            agreement = np.column_stack([by_name.get(name, np.zeros(len(at))) for name in names])
            rows.append((np.full(len(at), number), at + 1, usual[at], np.array(one.clicked, float)[at], agreement))
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)] if rows else [np.zeros(0)] * 5
    counts = columns[0].astype(int), columns[1].astype(int)
    return _Pages(names, *counts, columns[2], columns[3], columns[4].reshape(-1, len(names)))


def _strata(pages: _Pages, chosen: np.ndarray) -> Strata:
    mine = np.flatnonzero(chosen)
    of = pages.search[mine]
    return Strata.of(of, pages.agreement[mine], pages.due[mine], pages.clicked[mine], of)


def _positive(strata: Strata) -> np.ndarray:
    """(p,) the weights of what surely raises clicks; the others are 0."""
    size = strata.design.shape[1]
    used = np.ones(size, bool)
    weights = np.zeros(size)
    while used.any():
        part = Strata(strata.stratum, strata.design[:, used], strata.shown, strata.clicked, strata.group)
        number = int(used.sum())
        found = fit(part, np.zeros(number), np.eye(number) / _PRIOR_DEVIATION**2, np.zeros(number))
        sure = found.coefficients > _SURELY * np.sqrt(np.diag(found.covariance))
        weights[:] = 0.0
        weights[used] = found.coefficients
        if sure.all():
            return weights
        used[np.flatnonzero(used)[~sure]] = False
    return np.zeros(size)


def _spread_of_scores(pages: _Pages, looks: np.ndarray) -> float:
    """What one standard deviation of the scores means, in logarithms of click rates.

    Taken from how the rates of looked-at hits fall with the logarithm of the position, over the positions that
    preferences may change; `looks` (n,) are the chances that the hits are looked at.
    """
    place, rate = np.log(pages.position), np.log(np.maximum(pages.due / looks, 1e-6))
    apart = place - place.mean()
    fall = -float(apart @ rate / max(float(apart @ apart), 1e-9))
    return max(fall, _LEAST_FALL) * float(np.log(np.arange(1, TOP + 1)).std())
