"""The first stage of a search, before anything learned from clicks: the one order for serving and for training."""

from dataclasses import dataclass

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.candidates import Retrieved, retrieve
from magpie.search.retrieval.ranked_list import RankedList, best_score, matching_rows, merge
from magpie.search.retrieval.scoring import Candidates, score
from magpie.search.serving import Serving

DEPTH = 500  # candidates per index; beyond half of it a page needs the deeper search
DEEP = 10_000


@dataclass(frozen=True)
class FirstStageResult:
    """A parsed query and what each step made of it; `retrieved`, `candidates` and `matching` are by segment.

    `best` is the score of the best candidate, `matching` are the rows that match rather than only lie near.
    """

    parsed: ParsedQuery
    retrieved: list[Retrieved]
    candidates: list[Candidates]
    best: float
    matching: list[np.ndarray]
    ranked: RankedList


def depth_of(request: SearchRequest) -> int:
    """How many candidates each index is asked for, so that the page can be filled."""
    return DEPTH if request.offset + request.k <= DEPTH // 2 else DEEP


def run_first_stage(serving: Serving, request: SearchRequest, depth: int = DEPTH) -> FirstStageResult:
    """Parse, retrieve, score, match, order.

    Raises BadQuery, BadFilter, BadPicture, TooLarge, ItemNotFound, UnknownField.
    """
    parsed = serving.query_parser.parse(request, serving.segments)
    retrieved = retrieve(serving.segments, parsed, request.filters, depth)
    candidates = score(parsed, retrieved)
    best = best_score(candidates)
    matching = matching_rows(candidates, parsed.is_browsing, best)
    return FirstStageResult(parsed, retrieved, candidates, best, matching, merge(candidates, matching, request.sort))
