"""Runs the first stage of a search, without anything learned from clicks; serving and training share it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, cycle

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.candidates import Retrieved, find_nearest, retrieve
from magpie.search.retrieval.matching import find_matching
from magpie.search.retrieval.ranked_list import (
    NEAR,
    NEWEST,
    OTHER_MATCH,
    OTHER_WORDS,
    RELEVANCE,
    SCORED_MATCH,
    RankedList,
    merge,
)
from magpie.search.retrieval.scoring import Candidates, score, score_rest
from magpie.search.serving import Serving


@dataclass(frozen=True)
class FirstStageResult:
    """The results of the first stage's steps; `retrieved`, `candidates`, `matches` and `matching` are by segment.

    `matches` are (n,) bool, the rows that match the query whatever the filters; `matching` are the (m,) rows that pass
    the filters, too. `ranked` is the order of what passes the filters, the same for every page: what matches, then what
    is near.
    """

    parsed: ParsedQuery
    retrieved: list[Retrieved]
    candidates: list[Candidates]
    matches: list[np.ndarray]
    matching: list[np.ndarray]
    ranked: RankedList

    @property
    def total(self) -> int:
        """The number of items that match and pass the filters."""
        return sum(map(len, self.matching))


def run_first_stage(
    serving: Serving, request: SearchRequest, before: FirstStageResult | None = None
) -> FirstStageResult:
    """The first stage's result for a request: parse, retrieve, score, match, filter, order.

    `before` is the result of the same request with other filters.
    Raises BadQuery, BadFilter, BadPicture, TooLarge, ItemNotFound, UnknownField.
    """
    segments = serving.segments
    parsed = before.parsed if before else serving.query_parser.parse(request, segments)
    retrieved = before.retrieved if before else retrieve(segments, parsed, serving.statistics)
    scored = before.candidates if before else score(parsed, retrieved)
    matches = before.matches if before else find_matching(parsed, retrieved, scored)
    allowed = [segment.columns.allowed(request.filters) for segment in segments]
    ordered, wanted = _Ordered(matches, allowed), request.offset + request.k
    ordered.add(scored, SCORED_MATCH, NEAR)
    if request.sort != RELEVANCE or wanted > ordered.count(SCORED_MATCH):
        ordered.add(score_rest(parsed, retrieved, scored), OTHER_MATCH, OTHER_WORDS)
    if request.sort == RELEVANCE and parsed.vector is not None and len(ordered) < wanted:
        _append_neighbours(retrieved, parsed, ordered, wanted)
    matching = [np.flatnonzero(_both(rows, own)) for rows, own in zip(matches, allowed, strict=True)]
    sort = NEWEST if parsed.is_browsing and request.sort == RELEVANCE else request.sort
    ranked = merge(ordered.lists, ordered.tiers, sort)
    return FirstStageResult(parsed, retrieved, scored, matches, matching, ranked)


class _Ordered:
    """Candidates that the filters allow, and their tiers. `matches` and `allowed` are (n,) bool by segment, the latter
    None for all."""

    def __init__(self, matches: Sequence[np.ndarray], allowed: Sequence[np.ndarray | None]) -> None:
        self.matches, self.allowed = matches, allowed
        self.lists: list[Candidates] = []
        self.tiers: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(len(tiers) for tiers in self.tiers)

    def count(self, tier: int) -> int:
        """The number of candidates of this tier."""
        return sum(int(np.count_nonzero(tiers == tier)) for tiers in self.tiers)

    def add(self, candidates: Sequence[Candidates], matching: int, other: int) -> None:
        """Adds those of each segment's candidates that are allowed, in the tier for matching ones or the other one."""
        for one, matches, allowed in zip(candidates, self.matches, self.allowed, strict=True):
            kept = one if allowed is None else one.where(allowed[one.rows])
            self.lists.append(kept)
            self.tiers.append(np.where(matches[kept.rows], matching, other).astype(np.int16))


def _append_neighbours(retrieved: Sequence[Retrieved], parsed: ParsedQuery, ordered: _Ordered, wanted: int) -> None:
    """Adds blocks of the next nearest rows until there are as many candidates as wanted, or no more rows.

    Each block is the same for every page.
    """
    segments, weights = [found.segment for found in retrieved], retrieved[0].weights
    left = [_both(~found.segment.dead, found.allowed) for found in retrieved]
    left = [_both(rows, allowed) for rows, allowed in zip(left, ordered.allowed, strict=True)]
    for candidates, rows in zip(ordered.lists, cycle(left)):
        rows[candidates.rows] = False
    for tier in count(OTHER_WORDS + 1):
        near = find_nearest(segments, parsed, weights, left)
        found = zip(segments, left, near, strict=True)
        block = score(parsed, [Retrieved(segment, weights, rows, own) for segment, rows, own in found])
        if not any(len(candidates.rows) for candidates in block):
            return
        ordered.add(block, tier, tier)
        if len(ordered) >= wanted:
            return
        for candidates, rows in zip(block, left, strict=True):
            rows[candidates.rows] = False


def _both(rows: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
    """(n,) bool, a copy: the rows that are allowed, too; None allows all."""
    return rows.copy() if allowed is None else rows & allowed
