"""Follows the catalogue's changes after the served generation: marks outdated items dead, indexes changed ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.search.live_index.delta_builder import ChangedItems
from magpie.search.live_index.segment import Segment

STEP = 1_000  # items that one step indexes
MOST_ITEMS = 50_000  # their words, columns and vectors are kept in memory
_SMALL = 256  # items up to which the last segment is merged with each change


@dataclass(frozen=True)
class Delta:
    """The changes of the catalogue from a generation's revision to `revision`; `latest` was the newest known one.

    `dead_ids` (n,) int64, ascending, are the `items.id` that changed or were deleted; `segments` index the changed
    items, the oldest segment first, at most MOST_ITEMS items together.
    """

    revision: int
    latest: int
    dead_ids: np.ndarray
    segments: tuple[Segment, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all changes up to `latest` are indexed."""
        return self.revision == self.latest

    @property
    def num_items(self) -> int:
        """The number of living items in the segments."""
        return sum(segment.num_living for segment in self.segments)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more changed items, so that only deletions are followed until a rebuild."""
        return self.num_items >= MOST_ITEMS


def no_changes(revision: int) -> Delta:
    """The empty delta at this revision, the generation's."""
    return Delta(revision, revision, np.zeros(0, np.int64))


def follow(delta: Delta, catalogue: Catalogue, changed_items: ChangedItems, num_sealed: int = 0) -> Delta:
    """The delta after one step: every deletion, and the next STEP changed items as far as there is room.

    The first `num_sealed` segments keep their places; in them, outdated items only become dead.
    """
    changes = catalogue.changes_since(delta.revision, min(STEP, max(0, MOST_ITEMS - delta.num_items)))
    items = sorted(changes.items, key=lambda item: item.id)
    gone = np.array(sorted({item.id for item in items} | set(changes.deleted_ids)), np.int64)
    thinned = [segment.without(gone) for segment in delta.segments]
    segments = [segment for place, segment in enumerate(thinned) if place < num_sealed or segment.num_living]
    if items:
        segments = _with_new(segments, changed_items.index(items, changes.revision), changed_items, num_sealed)
    return Delta(changes.revision, changes.latest, np.union1d(delta.dead_ids, gone), tuple(segments))


def _with_new(segments: Sequence[Segment], new: Segment, changed_items: ChangedItems, num_sealed: int) -> list[Segment]:
    """The segments with the new one at the end, merged with the last where that is small and not sealed."""
    kept, last = list(segments[:-1]), segments[-1] if segments else None
    if last is None or len(segments) <= num_sealed or last.num_living + len(new.ids) > _SMALL:
        return [*segments, new]
    merged = changed_items.merge([last, new])
    return [*kept, merged] if merged else kept


def with_segments(delta: Delta, segments: tuple[Segment, ...]) -> Delta:
    """The same changes with `segments` in place of its own."""
    return replace(delta, segments=segments)
