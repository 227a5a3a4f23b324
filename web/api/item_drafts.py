"""Bodies of requests → drafts for the catalogue, with the pictures that the items have already."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.items import ItemDraft
from magpie.web.api.item_schemas import ItemBody, NamedItemBody

# the paths handed to the catalogue here are its own or lie in the home: from requests come addresses only
ANYWHERE = Path("/")


def draft_of(item_id: str, body: ItemBody, pictures: Sequence[str]) -> ItemDraft:
    """The item as the catalogue takes it; `pictures` are absolute paths, or addresses."""
    fields = body.model_dump(exclude={"images", "item_id"})
    return ItemDraft(item_id=item_id, pictures=tuple(pictures), **fields)


def drafts_of(catalogue: Catalogue, bodies: Sequence[NamedItemBody]) -> list[ItemDraft]:
    """Drafts of items that come without picture files; they keep those they have, unless they say otherwise."""
    kept = pictures_of(catalogue, [body.item_id for body in bodies if body.images is None])
    return [draft_of(body.item_id, body, (body.images or []) + kept.get(body.item_id, [])) for body in bodies]


def pictures_of(catalogue: Catalogue, item_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """The paths of the pictures of these items, by item id; unknown items are left out."""
    items = catalogue.get_many(list(catalogue.ids_of(item_ids).values()))
    return {item.item_id: [picture.file for picture in item.pictures] for item in items.values()}
