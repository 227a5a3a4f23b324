"""One item over HTTP: get, put, patch, delete; a change is searchable within a second."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from magpie.data.catalogue.catalogue import PictureFault
from magpie.data.catalogue.items import MAX_NAME_CHARS, Item
from magpie.data.catalogue.patch import ItemPatch
from magpie.data.database.api_tokens import WRITE
from magpie.data.errors import BadInput, MagpieError, NotFetched
from magpie.data.home.atomic_files import write_whole
from magpie.data.pictures.decode import check_picture
from magpie.web.addresses import picture_url
from magpie.web.api.item_drafts import ANYWHERE, draft_of, pictures_of
from magpie.web.api.item_schemas import MAX_PICTURES, DeleteHeader, ItemBody, ItemPatchBody, ItemPath, PutHeader
from magpie.web.api.openapi import MERGE_PATCH, SECURITY, patch_body, problem_responses, request_body
from magpie.web.api.preconditions import watch_preconditions
from magpie.web.api.request_bodies import JSON, form_body, is_multipart, json_body, uploaded_pictures
from magpie.web.api.responses import ItemAnswer
from magpie.web.services import Services, services

ITEMS_TAG = Tag(
    name="items",
    description="The catalogue. Writing needs a token of the scope `write`.",
)

api = APIBlueprint("api_items", __name__, abp_tags=[ITEMS_TAG], abp_responses=problem_responses())

_ITEM = TypeAdapter(ItemBody)
_PATCH = TypeAdapter(ItemPatchBody)


@api.before_request
def guard_writing() -> None:
    """Refuses writes without the right to write, or to a moved home. Raises Unauthorized, Forbidden, HomeMoved."""
    if request.method in ("PUT", "POST", "DELETE", "PATCH"):
        services().home.check()
        services().access.demand(WRITE)


@api.before_request
def refuse_parameters() -> None:
    """Raises BadInput for a parameter in the address: one item takes none."""
    for name in request.args:
        raise BadInput(f"{name[:MAX_NAME_CHARS]}: unknown parameter; this address takes none")


@api.get("/api/items/<path:item_id>", summary="One item", responses={200: ItemAnswer})
def get_item(path: ItemPath) -> Response:
    """Shows an item as the catalogue has it; the ETag names this state of it."""
    answer = _answer(path.item_id)
    answer.make_conditional(request)
    return answer


@api.put(
    "/api/items/<path:item_id>",
    summary="Put one item",
    security=SECURITY,
    responses={200: ItemAnswer, 201: ItemAnswer, **problem_responses(401, 403, 412, 422)},
    openapi_extensions=request_body(ItemBody, has_file=True),
)
def put_item(path: ItemPath, header: PutHeader) -> tuple[Response, int]:
    """Replaces an item or makes a new one, searchable within a second; only in the state that the headers name."""
    opened = services()
    uploads: list[bytes] = []
    if is_multipart():
        body = form_body(ItemBody, json_fields=("attributes",), list_fields=("images",))
        uploads = uploaded_pictures(limit=MAX_PICTURES)
    else:
        body = json_body(_ITEM)
    kept = pictures_of(opened.catalogue, [path.item_id]) if body.images is None else {}
    named = body.images or []
    pictures = _stored_pictures(opened, uploads) + named or kept.get(path.item_id, [])
    draft = draft_of(path.item_id, body, pictures)
    watch = watch_preconditions(header.if_match, header.if_none_match)
    counts = opened.catalogue.upsert([draft], ANYWHERE, replace(watch, on_fault=partial(_refuse_fault, named)))
    return _answer(path.item_id), 201 if counts.inserted else 200


@api.patch(
    "/api/items/<path:item_id>",
    summary="Change parts of one item",
    security=SECURITY,
    responses={200: ItemAnswer, **problem_responses(401, 403, 412, 422)},
    openapi_extensions=patch_body(ItemPatchBody),
)
def patch_item(path: ItemPath, header: DeleteHeader) -> Response:
    """Changes the fields that are sent (JSON merge patch, RFC 7396) and keeps the others; null empties a field."""
    if request.mimetype not in (MERGE_PATCH, JSON):
        raise UnsupportedMediaType(f"Send {MERGE_PATCH}, not {request.mimetype or 'an untyped body'}.")
    body = json_body(_PATCH)
    watch = replace(watch_preconditions(header.if_match), on_fault=partial(_refuse_fault, body.images or []))
    services().catalogue.patch([body.to_patch(path.item_id)], ANYWHERE, watch, _refuse_patch)
    return _answer(path.item_id)


@api.delete(
    "/api/items/<path:item_id>",
    summary="Delete one item",
    security=SECURITY,
    responses={204: None, **problem_responses(401, 403, 412)},
)
def delete_item(path: ItemPath, header: DeleteHeader) -> tuple[str, int]:
    """Takes an item out of the catalogue and of every search."""
    services().catalogue.delete(path.item_id, watch_preconditions(header.if_match))
    return "", 204


def is_part_of_the_id(ending: str) -> bool:
    """Whether the item's id itself ends in this, such as "/similar": a slash of the id is sent encoded, as %2F.

    WSGI hands on the path decoded. The address as the client sent it is beside it, unless a proxy decoded it first.
    """
    sent = str(request.environ.get("REQUEST_URI") or "").partition("?")[0]
    ends_so = unquote(sent).endswith(ending)
    return ends_so and not sent.endswith(ending) and sent.lower().endswith(quote(ending, safe="").lower())


def _refuse_fault(named: Sequence[str], fault: PictureFault) -> None:
    """Raises NotFetched if the fault is of a picture that the request names by URL."""
    if fault.path in named:
        raise NotFetched(f"images: {fault.path} {fault.reason}")


def _refuse_patch(_patch: ItemPatch, error: MagpieError) -> NoReturn:
    raise error


def _answer(item_id: str) -> Response:
    """The item as JSON, with its version as ETag."""
    item = services().catalogue.get(item_id)
    answer = jsonify(item_as_dict(item))
    answer.set_etag(item.version)
    return answer


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


def _stored_pictures(opened: Services, uploads: Sequence[bytes]) -> list[str]:
    """Paths of the uploaded pictures, kept in the home under the hash of their content."""
    paths: list[Path] = []
    for content in uploads:
        opened.engine.decoders.catalogue.run("the picture", check_picture, content, opened.settings.max_picture_pixels)
        paths.append(opened.settings.images_dir.absolute() / blake2b(content, digest_size=16).hexdigest())
    for path, content in zip(paths, uploads, strict=True):
        if not path.exists():
            write_whole(path, content)
    return [str(path) for path in paths]
