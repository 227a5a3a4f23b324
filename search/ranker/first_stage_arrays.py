"""The first-stage candidates of a search as arrays, from which training and serving compute the features."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from magpie.search.query.parse_query import ParsedQuery
from magpie.search.ranker.attribute_tags import NO_TAGS, Likely, Tags, fit_of_tags, guess_tags, read_tags
from magpie.search.retrieval.ranked_list import RankedList

DEPTH = 200  # what re-ranking may reorder
PLACES = ("rank", "gap", "fit", "conflict")


@dataclass(frozen=True)
class FirstStage:
    """The best candidates of one search in first-stage order, (n,) columns, n at most DEPTH.

    `ids` are `items.id`, `vectors` (n, dim) float32 own vectors, `query` the (dim,) query vector; `by_text` and
    `by_image` are the similarities of the parts, 0 where an item lacks one (`has_text`, `has_image`).
    """

    query: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    similarity: np.ndarray
    words: np.ndarray
    vectors: np.ndarray
    by_text: np.ndarray
    by_image: np.ndarray
    has_text: np.ndarray
    has_image: np.ndarray
    text_weight: np.ndarray
    price: np.ndarray
    tags: Tags = NO_TAGS

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def blank(cls, number: int, dim: int) -> "FirstStage":
        """`number` candidates whose values and vectors are all zero."""
        columns = {name: np.zeros(number, np.float32) for name in _SCALARS}
        columns |= {"query": np.zeros(dim, np.float32), "vectors": np.zeros((number, dim), np.float32)}
        return cls(ids=np.arange(number), tags=NO_TAGS, **columns)

    @cached_property
    def likely(self) -> Likely:
        """The probabilities of the candidates' tags, from their own tags and those of similar candidates."""
        return guess_tags(self.tags, self.vectors)

    def places(self, key: str) -> np.ndarray:
        """(n, len(PLACES)) where each candidate stands before any click: the logarithm of its rank, how far its score
        is from the best, and how its attributes fit the words of the query with this key."""
        rank, gap = np.log1p(np.arange(len(self))), self.scores - self.scores.max(initial=0)
        return np.column_stack([rank, gap, fit_of_tags(self.likely, key, len(self))])


def gather_first_stage(order: RankedList, parsed: ParsedQuery) -> FirstStage:
    """The first-stage arrays of the first DEPTH candidates. Raises ValueError for a query without a vector."""
    if parsed.vector is None:
        raise ValueError("a query without a vector has no features")
    ids, of_list, places = order.ids[:DEPTH], order.of_list[:DEPTH], order.places[:DEPTH]
    columns: dict[str, np.ndarray] = {name: np.zeros(len(ids), np.float32) for name in _SCALARS}
    columns["vectors"] = np.zeros((len(ids), len(parsed.vector)), np.float32)
    tagged = []
    for number, candidates in enumerate(order.lists):
        mine = np.flatnonzero(of_list == number)
        if not len(mine):
            continue
        at, segment = places[mine], candidates.segment
        rows = candidates.rows[at]
        columns["scores"][mine] = candidates.scores[at]
        columns["similarity"][mine] = candidates.similarity[at]
        columns["words"][mine] = candidates.words[at]
        columns["vectors"][mine] = segment.own_vectors(rows)
        columns["text_weight"][mine] = segment.text_weights[rows]
        columns["price"][mine] = segment.prices[rows]
        tagged.append((mine, rows, segment.columns.grouping))
        for part in ("text", "image"):
            vectors = segment.parts[part][rows].astype(np.float32)
            columns[f"by_{part}"][mine] = vectors @ parsed.vector
            columns[f"has_{part}"][mine] = vectors.any(axis=1)
    return FirstStage(query=parsed.vector, ids=ids, tags=read_tags(tagged), **columns)


_SCALARS = (
    *("scores", "similarity", "words", "by_text", "by_image", "has_text", "has_image"),
    *("text_weight", "price"),
)
