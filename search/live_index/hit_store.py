"""Reads the fields that hits show: of unchanged items from the index's stored hits, of others from the catalogue."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.indexer.indexes.stored_hits import StoredHit, StoredHits, stored_hit_of
from magpie.search.live_index.segment import Segment
from magpie.search.request import Hit

_MOST_REMEMBERED = 4_000
log = logging.getLogger(__name__)


class HitStore:
    """The stored hits at one state of the catalogue; a change makes a new object. Safe to share among threads.

    `indexed` is the segment of `stored_hits`, in which changed items are dead. Hits that are read from the catalogue
    are cached, up to 4,000.
    """

    def __init__(self, catalogue: Catalogue, indexed: Segment, stored_hits: StoredHits | None) -> None:
        self._catalogue, self._indexed = catalogue, indexed
        # an attribute may have another kind since, such as text after a word came among its numbers
        is_as_shown = stored_hits is not None and _are_part(stored_hits.kinds, catalogue.attribute_kinds())
        self._stored_hits = stored_hits if is_as_shown else None
        self._read: dict[int, StoredHit] = {}

    def get_many(self, ids: Sequence[int]) -> dict[int, StoredHit]:
        """The stored hits by `items.id`; items that no longer exist are left out."""
        found = self._indexed_among(ids)
        missing = [id_ for id_ in ids if id_ not in found]
        return found | self._from_catalogue(missing) if missing else found

    def _indexed_among(self, ids: Sequence[int]) -> dict[int, StoredHit]:
        stored_hits = self._stored_hits  # a local name, because another thread may set it to None
        if stored_hits is None:
            return {}
        rows = self._indexed.rows_of(np.array(ids, np.int64))
        try:
            return {hit.id: hit for hit in stored_hits.read(rows[rows >= 0].tolist())}
        except (ValueError, TypeError) as error:  # opening a large index does not check its content
            log.error(
                "stored hits of the index are damaged (%s): hits are read from the catalogue until a rebuild", error
            )
            self._stored_hits = None
            return {}

    def _from_catalogue(self, ids: Sequence[int]) -> dict[int, StoredHit]:
        known = self._read
        found = {id_: known[id_] for id_ in ids if id_ in known}
        if len(found) < len(ids):
            items = self._catalogue.get_many([id_ for id_ in ids if id_ not in found])
            read = {id_: stored_hit_of(item) for id_, item in items.items()}
            found |= read
            if len(known) >= _MOST_REMEMBERED:
                known = self._read = {}  # a new dictionary, because other threads may read the old one
            known.update(read)
        return found


def _are_part(some: Mapping[str, str], of: Mapping[str, str]) -> bool:
    return all(of.get(name) == kind for name, kind in some.items())


def hit_of(
    stored: StoredHit,
    position: int,
    score: float,
    dominant_colour: tuple[int, int, int] | None,
    explained: dict[str, float] | None = None,
    inputs: dict[str, float] | None = None,
    propensity: float | None = None,
) -> Hit:
    """The hit with the fields of a stored one, at this `position` (1-based)."""
    return Hit(
        item_id=stored.item_id,
        position=position,
        score=score,
        title=stored.title,
        description=stored.description,
        category=stored.category,
        price=stored.price,
        currency=stored.currency,
        url=stored.url,
        image=stored.image,
        attributes=stored.attributes,
        explain=explained,
        inputs=inputs,
        inferred=stored.inferred,
        propensity=propensity,
        dominant_colour=dominant_colour,
    )
