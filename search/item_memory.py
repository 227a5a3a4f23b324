"""Items that were shown lately, so that the same hits are not read from the database again and again."""

from collections.abc import Sequence

from data.catalogue import Catalogue, Item

_MOST_ITEMS = 4_000


class ItemMemory:
    """Reads items of one state of the catalogue, each once; a changed catalogue gets a new memory."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._items: dict[int, Item] = {}

    def get_many(self, ids: Sequence[int]) -> dict[int, Item]:
        """The items of these numbers, by number; those that are gone are left out."""
        known = self._items
        found = {id_: known[id_] for id_ in ids if id_ in known}
        if len(found) < len(ids):
            read = self._catalogue.get_many([id_ for id_ in ids if id_ not in found])
            found |= read
            if len(known) >= _MOST_ITEMS:
                known = self._items = {}  # a new one: other threads may be reading the old one
            known.update(read)
        return found
