"""Sums of a period's searches by day, by query and by word, for the insights; none of fewer than k people."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.k_anonymous_queries import may_be_shown
from magpie.data.aggregates.query_sessions import Searches

_WORDS_AT_MOST = 32


@dataclass(frozen=True)
class DayCount:
    """One day (since 1970, UTC): `searches` by `people`, of them those `clicked` and those `unanswered`.

    All but the day is None where it had searches, but of fewer people than may be shown.
    """

    day: int
    searches: int | None
    people: int | None
    clicked: int | None
    unanswered: int | None


@dataclass(frozen=True)
class QueryCount:
    """A query with its `searches` by `people`, of them those with a click, and those without a confident answer."""

    query: str
    searches: int
    people: int
    clicked: int
    unanswered: int


@dataclass(frozen=True)
class WordCount:
    """A word with the `people` who searched with it, and how many searches they made."""

    word: str
    searches: int
    people: int


def count_days(searches: Searches, first_day: int, last_day: int, min_people: int) -> list[DayCount]:
    """Every day from the first to the last; days without searches count zero."""
    size = max(last_day - first_day + 1, 0)
    group = np.where((searches.day >= first_day) & (searches.day <= last_day), searches.day - first_day, -1)
    people = searches.people_by(group, size)
    inside = group >= 0
    sums = [
        np.bincount(group[inside], weights[inside], size).astype(int)
        for weights in (np.ones(len(searches)), searches.clicked > 0, ~searches.is_answered)
    ]
    counts = []
    for place, (total, clicked, unanswered) in enumerate(zip(*(one.tolist() for one in sums), strict=True)):
        is_shown = not total or people[place] >= min_people
        values = (total, int(people[place]), clicked, unanswered) if is_shown else (None, None, None, None)
        counts.append(DayCount(first_day + place, *values))
    return counts


def count_queries(searches: Searches, min_people: int) -> list[QueryCount]:
    """The queries of at least `min_people` people that tell of nobody, the most searched first."""
    size = len(searches.queries)
    people = searches.people_by(searches.query, size)
    total, clicked, unanswered = (
        np.bincount(searches.query, weights, size).astype(int)
        for weights in (np.ones(len(searches)), searches.clicked > 0, ~searches.is_answered)
    )
    shown = [
        QueryCount(searches.queries[at], int(total[at]), int(people[at]), int(clicked[at]), int(unanswered[at]))
        for at in np.flatnonzero(people >= min_people).tolist()
        if may_be_shown(searches.queries[at])
    ]
    return sorted(shown, key=lambda one: (-one.searches, one.query))


def count_words(searches: Searches, min_people: int) -> list[WordCount]:
    """The words, between spaces, of at least `min_people` people's queries, the most people first."""
    queries_of: dict[str, list[int]] = defaultdict(list)
    for place, query in enumerate(searches.queries):
        if may_be_shown(query):
            for word in set(query.split()[:_WORDS_AT_MOST]):
                queries_of[word].append(place)
    order = np.argsort(searches.query, kind="stable")
    starts = np.searchsorted(searches.query[order], np.arange(len(searches.queries) + 1))
    counts = []
    for word, places in queries_of.items():
        rows = np.concatenate([order[starts[place] : starts[place + 1]] for place in places])
        people = searches.where(rows).num_people if len(rows) >= min_people else 0
        if people >= min_people:
            counts.append(WordCount(word, len(rows), people))
    return sorted(counts, key=lambda one: (-one.people, one.word))
