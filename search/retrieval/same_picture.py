"""Puts items first whose picture is the uploaded one, or nearly so: smaller, recompressed, brighter, turned a little.

Uploads are compared with fused vectors, in which an item's text has its share: the very picture's own item may stand
behind others whose texts suit it better. A picture counts as the same if it is far nearer than pictures are that merely
show such things, which the tenth nearest one tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.indexer.indexes.fast_arrays import best_first
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.retrieval.candidates import Retrieved

_REFERENCE = 10  # place of the picture that merely shows such a thing
_SHARE = 0.5  # of its distance, from which nearer pictures are lifted
_AHEAD = 0.1  # similarity by which the same picture leads


@dataclass(frozen=True)
class SamePicture:
    """How items with the same picture are lifted: those within the cosine distance `reach`, towards the `best`
    similarity of all segments."""

    reach: float
    best: float

    def lift(self, near: Neighbours, pictures: Neighbours, compare: Callable[[np.ndarray], np.ndarray]) -> Neighbours:
        """The neighbours with the similarities of items with the same picture raised, in proportion to how nearly it is
        the same, best first. `pictures` are the nearest pictures; `compare` gives the similarities of (n,) rows."""
        sameness = np.float32(1) - (np.float32(1) - pictures.scores) / np.float32(self.reach)
        is_same = sameness > 0
        if not is_same.any():
            return near
        rows, sameness = pictures.rows[is_same], np.minimum(1, sameness[is_same])
        others = np.setdiff1d(rows, near.rows)
        all_rows = np.concatenate([near.rows, others])
        scores = np.concatenate([near.scores, compare(others)])
        order = np.argsort(all_rows)
        place = order[np.searchsorted(all_rows, rows, sorter=order)]
        lifted = np.maximum(0, np.float32(self.best) - scores[place]) + np.float32(_AHEAD)
        scores[place] += sameness * lifted
        ranked = best_first(scores, all_rows)
        return Neighbours(all_rows[ranked], scores[ranked])


def same_picture(parsed: ParsedQuery, retrieved: Sequence[Retrieved]) -> SamePicture | None:
    """How to lift the same picture in the answer to a picture alone; None for any other query, and without pictures."""
    if not parsed.is_picture_alone:
        return None
    cosines = np.concatenate([np.zeros(0, np.float32), *(found.neighbours["image"].scores for found in retrieved)])
    if not len(cosines):
        return None
    reference = np.sort(cosines)[-min(_REFERENCE, len(cosines))]
    best = max((float(f.neighbours["fused"].scores.max(initial=0)) for f in retrieved), default=0.0)
    return SamePicture(max(1e-3, _SHARE * (1 - float(reference))), best)
