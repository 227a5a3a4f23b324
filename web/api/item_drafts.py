"""Turns request bodies into item drafts, which keep the pictures that an item already has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.items import ItemDraft
from magpie.web.api.item_schemas import ItemBody, NamedItemBody

# any folder: paths in drafts are the catalogue's own or in the home, since requests can only give URLs
ANYWHERE = Path("/")


def draft_of(item_id: str, body: ItemBody, pictures: Sequence[str]) -> ItemDraft:
    """The draft of one item; `pictures` are absolute paths or URLs."""
    fields = body.model_dump(exclude={"images", "item_id"})
    return ItemDraft(item_id=item_id, pictures=tuple(pictures), **fields)


def drafts_of(catalogue: Catalogue, bodies: Sequence[NamedItemBody]) -> list[ItemDraft]:
    """Drafts of items sent without picture files: with `images` absent, they keep the pictures they have."""
    kept = pictures_of(catalogue, [body.item_id for body in bodies if body.images is None])
    return [draft_of(body.item_id, body, (body.images or []) + kept.get(body.item_id, [])) for body in bodies]


def pictures_of(catalogue: Catalogue, item_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """The paths of the pictures of these items, by item id; unknown items are left out."""
    items = catalogue.get_many(list(catalogue.ids_of(item_ids).values()))
    return {item.item_id: [picture.file for picture in item.pictures] for item in items.values()}
