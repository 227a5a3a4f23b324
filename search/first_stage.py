"""Runs the first stage of a search, without anything learned from clicks; serving and training share it."""

from dataclasses import dataclass

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.candidates import Retrieved, retrieve
from magpie.search.retrieval.ranked_list import RankedList, best_score, matching_rows, merge
from magpie.search.retrieval.scoring import Candidates, score
from magpie.search.serving import Serving

DEPTH = 500  # candidates of each index; pages beyond half of it take DEEP
DEEP = 10_000


@dataclass(frozen=True)
class FirstStageResult:
    """The results of the first stage's steps; `retrieved`, `candidates` and `matching` are by segment.

    `best` is the score of the best candidate, `matching` the rows that match the query, `ranked` the order.
    """

    parsed: ParsedQuery
    retrieved: list[Retrieved]
    candidates: list[Candidates]
    best: float
    matching: list[np.ndarray]
    ranked: RankedList


def depth_of(request: SearchRequest) -> int:
    """The number of candidates to take from each index for the requested page."""
    return DEPTH if request.offset + request.k <= DEPTH // 2 else DEEP


def run_first_stage(
    serving: Serving, request: SearchRequest, depth: int = DEPTH, before: FirstStageResult | None = None
) -> FirstStageResult:
    """The first stage's result for a request: parse, retrieve, score, match, order.

    `depth` is the number of candidates from each index; `before` the result of the same request with other filters.
    Raises BadQuery, BadFilter, BadPicture, TooLarge, ItemNotFound, UnknownField.
    """
    parsed = before.parsed if before else serving.query_parser.parse(request, serving.segments)
    retrieved = retrieve(serving.segments, parsed, request.filters, depth, before.retrieved if before else ())
    candidates = score(parsed, retrieved)
    best = best_score(candidates)
    matching = matching_rows(candidates, parsed.is_browsing, best)
    return FirstStageResult(parsed, retrieved, candidates, best, matching, merge(candidates, matching, request.sort))
