"""Reads what hits show of items: unchanged items from the index's stored hits, all others from the catalogue."""

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
    """The stored hits of one state of the catalogue; a changed one gets a new object. Safe to share among threads.

    `indexed` is the segment that `stored_hits` belong to, its changed items dead. What the catalogue is asked for is
    remembered, so that the same hits are not read from the database again and again.
    """

    def __init__(self, catalogue: Catalogue, indexed: Segment, stored_hits: StoredHits | None) -> None:
        self._catalogue, self._indexed = catalogue, indexed
        # attributes of a kind that is another one now, say numbers among which words came, are shown as the new one
        is_as_shown = stored_hits is not None and _are_part(stored_hits.kinds, catalogue.attribute_kinds())
        self._stored_hits = stored_hits if is_as_shown else None
        self._read: dict[int, StoredHit] = {}

    def get_many(self, ids: Sequence[int]) -> dict[int, StoredHit]:
        """The stored hits of the items of these numbers, by number; those that are gone are left out."""
        found = self._indexed_among(ids)
        missing = [id_ for id_ in ids if id_ not in found]
        return found | self._from_catalogue(missing) if missing else found

    def _indexed_among(self, ids: Sequence[int]) -> dict[int, StoredHit]:
        stored_hits = self._stored_hits  # another thread may find them damaged meanwhile
        if stored_hits is None:
            return {}
        rows = self._indexed.rows_of(np.array(ids, np.int64))
        try:
            return {hit.id: hit for hit in stored_hits.read(rows[rows >= 0].tolist())}
        except (ValueError, TypeError) as error:  # a large index is not read through when it is opened
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
                known = self._read = {}  # a new one: other threads may be reading the old one
            known.update(read)
        return found


def _are_part(some: Mapping[str, str], of: Mapping[str, str]) -> bool:
    return all(of.get(name) == kind for name, kind in some.items())


def hit_of(
    card: StoredHit,
    position: int,
    score: float,
    dominant_colour: tuple[int, int, int] | None,
    explained: dict[str, float] | None = None,
    inputs: dict[str, float] | None = None,
    propensity: float | None = None,
) -> Hit:
    """A hit that shows a stored one at this position (1-based)."""
    return Hit(
        item_id=card.item_id,
        position=position,
        score=score,
        title=card.title,
        description=card.description,
        category=card.category,
        price=card.price,
        currency=card.currency,
        url=card.url,
        image=card.image,
        attributes=card.attributes,
        explain=explained,
        inputs=inputs,
        inferred=card.inferred,
        propensity=propensity,
        dominant_colour=dominant_colour,
    )
