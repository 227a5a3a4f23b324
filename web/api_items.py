"""Items over HTTP: read one, put one, put many, delete one; a change is searchable within a second."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import TypeAdapter

from data.errors import BadInput, ItemNotFound
from data.items import Item, ItemDraft
from data.pictures import open_picture
from data.settings import Settings
from web.bodies import form_body, is_multipart, json_body, uploaded_pictures
from web.openapi import problem_responses, request_body
from web.owner import let_only_the_owner
from web.pictures import picture_url
from web.schemas import MAX_LIST, ItemAnswer, ItemBody, ItemPath, NamedItemBody, UpsertAnswer
from web.services import Services, services

_TAG = Tag(
    name="items", description="The catalogue. Writing needs the token once one is set, and this machine while none is."
)
_SECURITY: list[dict[str, list[Any]]] = [{"token": []}, {}]
MAX_PICTURES = 20
# the paths handed to the catalogue here are its own or lie in the home: none comes from a request
_ANYWHERE = Path("/")

api = APIBlueprint("api_items", __name__, abp_tags=[_TAG], abp_responses=problem_responses())

_ITEM = TypeAdapter(ItemBody)
_ITEMS = TypeAdapter(list[NamedItemBody])


@api.before_request
def guard_writing() -> None:
    """Lets only the token's holder write, or only this machine while there is no token."""
    if request.method not in ("PUT", "POST", "DELETE", "PATCH"):
        return
    let_only_the_owner(services().settings, "write")


@api.get("/api/items/<path:item_id>", summary="One item", responses={200: ItemAnswer})
def get_item(path: ItemPath) -> Response:
    """Shows an item as the catalogue has it."""
    return jsonify(item_as_dict(services().catalogue.get(path.item_id)))


@api.put(
    "/api/items/<path:item_id>",
    summary="Put one item",
    security=_SECURITY,
    responses={200: ItemAnswer, 201: ItemAnswer, **problem_responses(401, 403)},
    openapi_extensions=request_body(ItemBody, file="A picture of the item; repeat it for more."),
)
def put_item(path: ItemPath) -> tuple[Response, int]:
    """Replaces an item or makes a new one, searchable within a second."""
    opened = services()
    uploads: list[bytes] = []
    if is_multipart():
        body = form_body(ItemBody, json_fields=("attributes", "images"))
        uploads = uploaded_pictures(limit=MAX_PICTURES)
    else:
        body = json_body(_ITEM)
    pictures = _stored_pictures(opened.settings, uploads) or _kept_pictures(opened, path.item_id, body)
    counts = opened.catalogue.upsert([_draft(path.item_id, body, pictures)], _ANYWHERE)
    return jsonify(item_as_dict(opened.catalogue.get(path.item_id))), 201 if counts.inserted else 200


@api.post(
    "/api/items",
    summary="Put many items",
    security=_SECURITY,
    responses={200: UpsertAnswer, **problem_responses(401, 403)},
    openapi_extensions=request_body(NamedItemBody, shape="list"),
)
def post_items() -> Response:
    """Replaces or makes up to 1,000 items; all of them or, when one is wrong, none."""
    opened = services()
    bodies = json_body(_ITEMS)
    if not 1 <= len(bodies) <= MAX_LIST:
        raise BadInput(f"{len(bodies)} items came; send a list of 1 to {MAX_LIST}")
    twice = sorted({one.item_id for one in bodies if sum(other.item_id == one.item_id for other in bodies) > 1})
    if twice:
        raise BadInput(f"item_id: {twice[0]!r} comes twice; send each item once")
    drafts = [_draft(body.item_id, body, _kept_pictures(opened, body.item_id, body)) for body in bodies]
    counts = opened.catalogue.upsert(drafts, _ANYWHERE)
    names = ("inserted", "updated", "unchanged", "images_missing", "images_broken")
    return jsonify({name: getattr(counts, name) for name in names})


@api.delete(
    "/api/items/<path:item_id>",
    summary="Delete one item",
    security=_SECURITY,
    responses={204: None, **problem_responses(401, 403)},
)
def delete_item(path: ItemPath) -> tuple[str, int]:
    """Takes an item out of the catalogue and of every search."""
    services().catalogue.delete(path.item_id)
    return "", 204


def item_as_dict(item: Item) -> dict[str, Any]:
    """The item as JSON, its pictures as addresses on this server."""
    good = [picture for picture in item.pictures if picture.status == "ok"]
    return {
        "item_id": item.item_id,
        "title": item.title,
        "description": item.description,
        "category": item.category,
        "price": item.price,
        "currency": item.currency,
        "url": item.url,
        "attributes": item.attributes,
        "inferred": {name: asdict(label) for name, label in item.inferred.items()},
        "images": [
            {
                "url": picture_url(item.item_id, picture.content_hash, number),
                "width": picture.width,
                "height": picture.height,
            }
            for number, picture in enumerate(good, start=1)
        ],
        "updated_at": item.updated_at.isoformat(),
    }


def _draft(item_id: str, body: ItemBody, pictures: Sequence[str]) -> ItemDraft:
    fields = body.model_dump(exclude={"images", "item_id"})
    return ItemDraft(item_id=item_id, pictures=tuple(pictures), **fields)


def _kept_pictures(opened: Services, item_id: str, body: ItemBody) -> list[str]:
    """The paths of the pictures that the item has already, unless the body says that it shall have none."""
    if body.images is not None:
        return []
    try:
        return [str(picture.path) for picture in opened.catalogue.get(item_id).pictures]
    except ItemNotFound:
        return []


def _stored_pictures(settings: Settings, uploads: Sequence[bytes]) -> list[str]:
    """Paths of the uploaded pictures, kept in the home under the hash of their content."""
    paths: list[Path] = []
    for content in uploads:
        picture = open_picture(content, settings.max_picture_pixels, (256, 256))
        picture.close()
        paths.append(settings.images_dir.absolute() / blake2b(content, digest_size=16).hexdigest())
    for path, content in zip(paths, uploads, strict=True):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
            beside.write_bytes(content)
            beside.replace(path)
    return [str(path) for path in paths]
