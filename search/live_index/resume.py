"""Takes up the catalogue's changes where the saved segments of changed items end."""

from collections.abc import Sequence

import numpy as np

from magpie.data.catalogue.versions import Versions
from magpie.search.live_index.delta import Delta
from magpie.search.live_index.segment import Segment
from magpie.search.live_index.segment_files import SavedSegment

_SAME_TIME_S = 0.002  # times of change are kept to the millisecond


def resume(saved: Sequence[SavedSegment], versions: Versions) -> Delta | None:
    """The delta up to the revision of the last of these segments; None where they do not fit the catalogue.

    `saved` are at least one segment, the oldest first, and `versions` what changed since the generation. They fit if
    every item that changed up to that revision is in the latest segment that has it, in its version of now; a
    restored backup has others. An item that changed since is found in its earlier version until its turn comes.
    """
    revision = saved[-1].segment.revision
    newer = versions.deleted_ids
    segments: list[Segment] = []
    num_current = 0
    for one in reversed(saved):
        segment = one.segment.without(newer)
        newer = np.union1d(newer, segment.ids)
        is_current, changes_later = _compare(one, versions, revision)
        if not (is_current | changes_later)[~segment.dead].all():
            return None
        num_current += int(np.count_nonzero(is_current & ~changes_later & ~segment.dead))
        segments.insert(0, segment)
    if num_current != np.count_nonzero(versions.revisions <= revision):
        return None
    return Delta(revision, versions.latest, newer, tuple(segment for segment in segments if segment.num_living))


def _compare(saved: SavedSegment, versions: Versions, revision: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bool: the items whose version of now is the saved one, and those that changed after the revision."""
    ids = saved.segment.ids
    if not len(versions.ids):
        return np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    place = np.minimum(np.searchsorted(versions.ids, ids), len(versions.ids) - 1)
    is_known, revisions = versions.ids[place] == ids, versions.revisions[place]
    is_same_time = np.abs(versions.updated_at[place] - saved.updated_at) < _SAME_TIME_S
    return is_known & (revisions == saved.revisions) & is_same_time, is_known & (revisions > revision)
