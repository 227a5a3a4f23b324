"""Reads which items changed since a revision, without their content: quick for tens of thousands."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import select

from magpie.data.database.connection import Database, fetch_all
from magpie.data.database.tables import counters, deletions, items


@dataclass(frozen=True)
class Versions:
    """The versions of the items that changed after a revision, and what was deleted after it.

    `ids` (n,) int64 are `items.id`, ascending, with their `revisions` (n,) int64 and times of change `updated_at` (n,)
    in seconds since 1970; `deleted_ids` (m,) int64. `latest` is the catalogue's revision when this was read.
    """

    ids: np.ndarray
    revisions: np.ndarray
    updated_at: np.ndarray
    deleted_ids: np.ndarray
    latest: int


def read_versions(database: Database, revision: int) -> Versions:
    """What changed after this revision, as one snapshot."""
    after = int(revision)
    with database.reading() as connection:
        fetch = partial(fetch_all, connection)
        latest = connection.execute(select(counters.c.value).where(counters.c.name == "revision")).scalar_one()
        columns = select(items.c.id, items.c.revision, items.c.updated_at)
        changed = fetch(f"{columns} WHERE items.revision > {after} ORDER BY items.id")
        gone = fetch(f"{select(deletions.c.id)} WHERE deletions.revision > {after} ORDER BY deletions.id")
    ids, revisions, times = zip(*changed, strict=True) if changed else ((), (), ())
    return Versions(
        ids=np.array(ids, np.int64),
        revisions=np.array(revisions, np.int64),
        updated_at=np.array(times, np.float64),
        deleted_ids=np.array([id_ for (id_,) in gone], np.int64),
        latest=int(latest),
    )
