"""Merges small segments of changed items in the background, so that a search asks few of them.

A log-structured merge (O'Neil et al. 1996): each item is indexed again a few times only, and the number of segments
grows with the logarithm of the number of changes.
"""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from magpie.indexer.memory import give_back_freed
from magpie.search.live_index.delta_builder import ChangedItems
from magpie.search.live_index.segment import Segment

_RATIO = 2
_PAUSE_S = 60.0  # after a merge that failed
log = logging.getLogger(__name__)


def first_to_merge(sizes: Sequence[int]) -> int | None:
    """The first place (from 0) of the segments to merge, from there to the last; None where none are due.

    A merge is due where a segment has less than twice as many items as all later segments together.
    """
    for place in range(len(sizes) - 1):
        if sizes[place] < _RATIO * sum(sizes[place + 1 :]):
            return place
    return None


class Compaction:
    """Merges segments in a thread of its own. All methods are for the one thread that follows the changes."""

    def __init__(self, changed_items: ChangedItems) -> None:
        self._changed_items = changed_items
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="magpie-merge")
        self._running: tuple[int, int, Future[Segment | None]] | None = None  # from, to
        self._not_before = 0.0

    @property
    def num_sealed(self) -> int:
        """The number of segments, from the first, that a running merge needs unchanged in their places."""
        return self._running[1] if self._running else 0

    def advance(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """The segments, with a finished merge in place of its inputs; starts the next merge if one is due."""
        if self._running:
            if not self._running[2].done():
                return segments
            segments = self._exchange(segments, *self._running)
            self._running = None
        start = first_to_merge([segment.num_living for segment in segments])
        if start is not None and time.monotonic() >= self._not_before:
            merging = self._pool.submit(self._merge, segments[start:])
            self._running = (start, len(segments), merging)
        return segments

    def _merge(self, segments: Sequence[Segment]) -> Segment | None:
        merged = self._changed_items.merge(segments)
        give_back_freed()
        return merged

    def _exchange(
        self, segments: tuple[Segment, ...], start: int, end: int, merging: "Future[Segment | None]"
    ) -> tuple[Segment, ...]:
        try:
            merged = merging.result()
        except Exception:  # the unmerged segments still serve
            log.exception("segments of changed items could not be merged; trying again in %d s", _PAUSE_S)
            self._not_before = time.monotonic() + _PAUSE_S
            return segments
        if merged is None:
            return (*segments[:start], *segments[end:])
        # items changed or deleted during the merge are dead in the inputs only
        alive = np.concatenate([segment.living_ids for segment in segments[start:end]])
        return (*segments[:start], merged.without(np.setdiff1d(merged.ids, alive)), *segments[end:])
