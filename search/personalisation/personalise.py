"""Personalisation: moves the first candidates of a search by what the searcher chose lately, within bounds.

A value counts the more, the more often it was chosen and the rarer it is in the catalogue, times the weight of its
attribute, which training learns from the log's own sessions (`taste.py`). Attributes of which the query names a value,
or that are filtered by, do not count.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.recent_choices import RecentChoice
from magpie.indexer.indexes.column_types import WordColumn
from magpie.search.live_index.segment import Segment
from magpie.search.personalisation.taste import ASSUMED, LOOKS, Taste
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RELEVANCE, RankedList

TOP = 60  # candidates that may move
HALF_LIFE_DAYS = 30.0  # after which an earlier choice counts half
_EARLIER = 0.5  # what a choice of an earlier session counts, against one of this session
_ACTIONS = {"click": 1.0, "add_to_cart": 2.0, "purchase": 2.0}
_FADING = 0.9  # from one choice of this session to the one before
_MOST_CHOICES = 20  # the weightiest; more would cost time and say the same
_MOST = 1.0  # most that a candidate may gain or lose, in standard deviations of the candidates' scores
_DOUBT = 2.0  # choices by which preferences are drawn towards nothing
_PRIOR_PAIRS = 2.0
_RAREST = 0.01  # share of the catalogue below which a value is no rarer
_MAX_WORDS = 3  # of a value that a query may name
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Preferences:
    """Chosen items, newest first: (h,) `items.id` and (h,) how much each counts; an item chosen twice counts once."""

    ids: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Located:
    """Items and where they stand: (n,) place of the segment and row in it, (n, dim) float32 own vectors."""

    segments: Sequence[Segment]
    of_segment: np.ndarray
    rows: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def words(self, name: str) -> list[list[str]]:
        """The values that each item has of a field."""
        columns = [segment.columns.grouping.get(name) for segment in self.segments]
        found = [(columns[number], row) for number, row in zip(self.of_segment, self.rows, strict=True)]
        return [column.words(int(row)) if column else [] for column, row in found]

    def sums(self, name: str, worth: Mapping[str, float]) -> np.ndarray:
        """(n,) what each item's values of a field are worth together."""
        total = np.zeros(len(self))
        for number, segment in enumerate(self.segments):
            column, mine = segment.columns.grouping.get(name), self.of_segment == number
            if column and mine.any():
                total[mine] = column.sums(self.rows[mine], worth)
        return total


def preferences_of(visits: Sequence[RecentChoice], now_ms: int) -> Preferences | None:
    """The preferences of who made these choices, None without choices."""
    strongest: dict[int, float] = {}
    in_session = 0
    for visit in visits:
        weight = _ACTIONS.get(visit.action_name, 1.0)
        if visit.is_this_session:
            weight *= _FADING**in_session
            in_session += 1
        else:
            weight *= _EARLIER * 0.5 ** (max(0, now_ms - visit.timestamp_ms) / (_DAY_MS * HALF_LIFE_DAYS))
        strongest[visit.id] = max(strongest.get(visit.id, 0.0), weight)
    if not strongest:
        return None
    kept = sorted(strongest, key=lambda id_: -strongest[id_])[:_MOST_CHOICES]
    chosen = [id_ for id_ in strongest if id_ in kept]
    return Preferences(np.array(chosen, np.int64), np.array([strongest[id_] for id_ in chosen], np.float32))


@dataclass(frozen=True)
class Shift:
    """A personalised order: (n,) the place from which each candidate comes, and what its score gains."""

    rank: np.ndarray
    added: np.ndarray


def session_weights(number: int) -> np.ndarray:
    """(number,) float32 what the choices of one session count, newest first."""
    return np.asarray(_FADING ** np.arange(number), np.float32)


def personalise(
    order: RankedList,
    request: SearchRequest,
    parsed: ParsedQuery,
    segments: Sequence[Segment],
    preferences: Preferences | None,
    taste: Taste = ASSUMED,
) -> RankedList:
    """The order with what preferences add to the first 60. Unchanged without preferences, or where not by relevance."""
    if preferences is None or request.sort != RELEVANCE or parsed.is_browsing or len(order) < 2:
        return order
    shift = find_shift(order, request, parsed, segments, preferences, taste)
    if shift is None:
        return order
    return order.reordered(shift.rank, "session", shift.added)


def find_shift(
    order: RankedList,
    request: SearchRequest,
    parsed: ParsedQuery,
    segments: Sequence[Segment],
    preferences: Preferences,
    taste: Taste = ASSUMED,
) -> Shift | None:
    """The shift of the first 60 places by preferences; None where no choice is indexed any more."""
    chosen, weights = locate_chosen(preferences, segments)
    if not len(chosen):
        return None
    top = min(TOP, len(order))
    skipped = {name.casefold() for name in request.filters} | named_fields(parsed, segments)
    found = preference_features(chosen, weights, _candidates(order, top), parsed.vector, skipped)
    gain = np.clip(sum(taste.of(name) * one for name, one in found.items()), -_MOST, _MOST)
    scores = order.top_scores(top)
    added = np.zeros(len(order), np.float32)
    added[:top] = (gain - gain.min()) * float(scores.std())
    best = np.lexsort((order.ids[:top], -(scores + added[:top])))
    rank = np.concatenate([best, np.arange(top, len(order))])
    return Shift(rank, added[rank])


def preference_features(
    chosen: Located, weights: np.ndarray, candidates: Located, query: np.ndarray | None, skipped: set[str]
) -> dict[str, np.ndarray]:
    """By attribute, and LOOKS, (n,) how far each candidate agrees with the choices, less the candidates' mean.

    `weights` (h,) are those of the choices; `skipped` fields are left out. Few choices say little.
    """
    total = float(weights.sum())
    alike = _similarity(chosen, weights, candidates.vectors, query) * total / (total + _DOUBT)
    found = {LOOKS: _centred(alike)}
    for name in sorted({name for segment in candidates.segments for name in segment.columns.grouping}):
        if name.casefold() not in skipped:
            worth = leaning(chosen.words(name), weights, candidates.segments[0].columns.grouping.get(name))
            found[name] = _centred(candidates.sums(name, worth))
    return found


def leaning(chosen: Sequence[Sequence[str]], weights: np.ndarray, usual: WordColumn | None) -> dict[str, float]:
    """By value of the choices, how much more likely the next choice has it than a value that was not chosen, each
    against its share of the catalogue, as a logarithm (a Dirichlet prior of _DOUBT choices with the usual shares)."""
    counts: dict[str, float] = {}
    for words, weight in zip(chosen, weights, strict=True):
        for word in words:
            counts[word] = counts.get(word, 0.0) + float(weight)
    return {word: float(np.log1p(count / (_DOUBT * _usual_share(usual, word)))) for word, count in counts.items()}


def _usual_share(usual: WordColumn | None, word: str) -> float:
    code = usual.code_of.get(word.casefold()) if usual else None
    return max(float(usual.shares[code]), _RAREST) if usual and code is not None else _RAREST


def named_fields(parsed: ParsedQuery, segments: Sequence[Segment]) -> set[str]:
    """Names, in lower case, of the columns of which the query names a value."""
    phrases = set(_phrases(parsed.reading.words))
    return {
        name.casefold()
        for segment in segments
        for name, column in segment.columns.grouping.items()
        if not phrases.isdisjoint(column.code_of)
    }


def locate_chosen(preferences: Preferences, segments: Sequence[Segment]) -> tuple[Located, np.ndarray]:
    """The chosen items that are still indexed, and their weights."""
    of_segment, rows = np.full((2, len(preferences.ids)), -1)
    for number, segment in enumerate(segments):
        own = segment.rows_of(preferences.ids)
        of_segment[own >= 0], rows[own >= 0] = number, own[own >= 0]
    kept = np.flatnonzero(rows >= 0)
    return locate(segments, of_segment[kept], rows[kept]), preferences.weights[kept]


def locate(segments: Sequence[Segment], of_segment: np.ndarray, rows: np.ndarray) -> Located:
    """These items with their vectors."""
    dim = segments[0].parts["text"].shape[1]
    vectors = np.zeros((len(rows), dim), np.float32)
    for number, segment in enumerate(segments):
        mine = of_segment == number
        vectors[mine] = segment.own_vectors(rows[mine])
    return Located(segments, of_segment, rows, vectors)


def _candidates(order: RankedList, top: int) -> Located:
    of_segment, places = order.of_list[:top], order.places[:top]
    rows = np.zeros(len(places), np.int64)
    for number, candidates in enumerate(order.lists):
        own = of_segment == number
        rows[own] = candidates.rows[places[own]]
    return locate([one.segment for one in order.lists], of_segment, rows)


def _similarity(chosen: Located, weights: np.ndarray, vectors: np.ndarray, query: np.ndarray | None) -> np.ndarray:
    """(n,) cosine with the mean of the choices, each by its weight and its similarity to the query."""
    about = weights if query is None else weights * np.maximum(chosen.vectors @ query, 0)
    return np.asarray(vectors @ (about @ chosen.vectors) / weights.sum(), np.float32)


def shared_values(chosen: Sequence[Sequence[str]], weights: np.ndarray, usual: float) -> tuple[dict[str, float], float]:
    """The weighted share of each value among the choices, and how far the choices agree, from 0 to 1.

    Agreement is the chance that two choices have the same value, above what any two items have (Simpson's index),
    drawn towards that by two pairs: 0 says nothing, 1 says that all of many choices are the same.
    """
    shares: dict[str, float] = {}
    counts: dict[str, int] = {}
    known = 0.0
    for words, weight in zip(chosen, weights, strict=True):
        known += float(weight) if words else 0.0
        for word in words:
            shares[word] = shares.get(word, 0.0) + float(weight)
            counts[word] = counts.get(word, 0) + 1
    told = sum(counts.values())
    pairs, agreeing = told * (told - 1) / 2, sum(n * (n - 1) / 2 for n in counts.values())
    agreement = (agreeing + _PRIOR_PAIRS * usual) / (pairs + _PRIOR_PAIRS)
    above = (agreement - usual) / (1 - usual) if usual < 1 else 0.0
    return {word: value / known for word, value in shares.items()}, max(0.0, above)


def usual_agreement(segments: Sequence[Segment], name: str) -> float:
    """The chance that two items of the catalogue have the same value, as the largest segment, the index, has it."""
    column = segments[0].columns.grouping.get(name)
    return column.agreement if column else 0.0


def _phrases(text: str) -> list[str]:
    """One to three neighbouring words of a text in lower case, each also without and with a plural's s."""
    words = re.findall(r"\w+", text.casefold())
    spans = [(at, at + length) for length in range(1, _MAX_WORDS + 1) for at in range(len(words) - length + 1)]
    found = [" ".join(words[start:end]) for start, end in spans]
    return found + [phrase.removesuffix("s") for phrase in found] + [phrase + "s" for phrase in found]


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean()
