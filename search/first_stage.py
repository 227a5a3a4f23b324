"""Runs the first stage of a search, without anything learned from clicks; serving and training share it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.candidates import Retrieved, find_nearest, retrieve
from magpie.search.retrieval.matching import find_matching
from magpie.search.retrieval.ranked_list import NEAR, OTHER_MATCH, RELEVANCE, SCORED_MATCH, RankedList, merge
from magpie.search.retrieval.scoring import Candidates, score
from magpie.search.serving import Serving


@dataclass(frozen=True)
class FirstStageResult:
    """The results of the first stage's steps; `retrieved`, `candidates` and `matching` are by segment.

    `matching` are the (m,) rows that match the query and pass the filters, `unfiltered` those that match, whatever the
    filters. `ranked` is the order of what passes the filters, the same for every page: what matches, then what is near.
    """

    parsed: ParsedQuery
    retrieved: list[Retrieved]
    candidates: list[Candidates]
    matching: list[np.ndarray]
    unfiltered: list[np.ndarray]
    ranked: RankedList

    @property
    def total(self) -> int:
        """The number of items that match and pass the filters."""
        return sum(map(len, self.matching))


def run_first_stage(serving: Serving, request: SearchRequest) -> FirstStageResult:
    """The first stage's result for a request: parse, retrieve, score, match, filter, order.

    Raises BadQuery, BadFilter, BadPicture, TooLarge, ItemNotFound, UnknownField.
    """
    segments = serving.segments
    parsed = serving.query_parser.parse(request, segments)
    retrieved = retrieve(segments, parsed, serving.statistics)
    candidates = score(parsed, retrieved)
    matches = find_matching(parsed, retrieved, candidates)
    unfiltered = [c.rows[is_match] for c, is_match in zip(candidates, matches, strict=True)]
    tiers = [_tiers(c, is_match) for c, is_match in zip(candidates, matches, strict=True)]
    allowed = [segment.columns.allowed(request.filters) for segment in segments]
    lists, tiers = _filtered(candidates, tiers, allowed)
    matching = [c.rows[of_list < NEAR] for c, of_list in zip(lists, tiers, strict=True)]
    if request.sort == RELEVANCE and parsed.vector is not None:
        _append_neighbours(retrieved, parsed, allowed, request.offset + request.k, lists, tiers)
    return FirstStageResult(parsed, retrieved, candidates, matching, unfiltered, merge(lists, tiers, request.sort))


def _tiers(candidates: Candidates, is_match: np.ndarray) -> np.ndarray:
    """(n,) int8 tiers of the candidates."""
    matched = np.where(candidates.is_scored, SCORED_MATCH, OTHER_MATCH)
    return np.where(is_match, matched, NEAR).astype(np.int8)


def _filtered(
    lists: Sequence[Candidates], tiers: Sequence[np.ndarray], allowed: Sequence[np.ndarray | None]
) -> tuple[list[Candidates], list[np.ndarray]]:
    """The candidates that the filters allow ((n,) bool by segment, None for all), and their tiers."""
    passing = [None if rows is None else rows[c.rows] for c, rows in zip(lists, allowed, strict=True)]
    kept = [c if passes is None else c.where(passes) for c, passes in zip(lists, passing, strict=True)]
    return kept, [of_list if p is None else of_list[p] for of_list, p in zip(tiers, passing, strict=True)]


def _append_neighbours(
    retrieved: Sequence[Retrieved],
    parsed: ParsedQuery,
    allowed: Sequence[np.ndarray | None],
    wanted: int,
    lists: list[Candidates],
    tiers: list[np.ndarray],
) -> None:
    """Appends blocks of the next nearest allowed rows until there are as many candidates as wanted, or no more rows.

    Each block is the same for every page.
    """
    if sum(len(c.rows) for c in lists) >= wanted:
        return
    left = [_both(len(found.segment.ids), found.allowed, rows) for found, rows in zip(retrieved, allowed, strict=True)]
    block, tier = list(lists), NEAR
    while sum(len(c.rows) for c in lists) < wanted:
        for rows, candidates in zip(left, block, strict=True):
            rows[candidates.rows] = False
        near = find_nearest([found.segment for found in retrieved], parsed, left)
        found_near = zip(retrieved, left, near, strict=True)
        block = score(parsed, [Retrieved(found.segment, rows, own) for found, rows, own in found_near])
        if not any(len(c.rows) for c in block):
            return
        tier += 1
        lists += block
        tiers += [np.full(len(c.rows), tier, np.int8) for c in block]


def _both(number: int, first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray:
    """(n,) bool, a copy: rows that both masks allow; None allows all."""
    rows = np.ones(number, bool)
    for mask in (first, second):
        if mask is not None:
            rows &= mask
    return rows
