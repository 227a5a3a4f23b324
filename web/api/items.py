"""Items over HTTP: get, put, put many, delete; a change is searchable within a second."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import TypeAdapter

from magpie.data.catalogue.catalogue import PictureFault
from magpie.data.catalogue.items import Item
from magpie.data.database.api_tokens import WRITE
from magpie.data.errors import BadInput, NotFetched, NotTogether
from magpie.data.home.atomic_files import write_whole
from magpie.data.pictures.decode import check_picture
from magpie.web.addresses import picture_url
from magpie.web.api.bulk_items import put_lines
from magpie.web.api.item_drafts import ANYWHERE, draft_of, drafts_of, pictures_of
from magpie.web.api.item_schemas import MAX_PICTURES, DeleteHeader, ItemBody, ItemPath, NamedItemBody, PutHeader
from magpie.web.api.openapi import NDJSON, SECURITY, lines_of, problem_responses, request_body
from magpie.web.api.preconditions import watch_preconditions
from magpie.web.api.request_bodies import form_body, is_multipart, json_body, uploaded_pictures
from magpie.web.api.responses import ItemAnswer, LineAnswer, UpsertAnswer
from magpie.web.api.search_requests import MAX_LIST
from magpie.web.services import Services, services

_TAG = Tag(
    name="items",
    description="The catalogue. Writing needs a token of the scope `write`.",
)

api = APIBlueprint("api_items", __name__, abp_tags=[_TAG], abp_responses=problem_responses())

_ITEM = TypeAdapter(ItemBody)
_ITEMS = TypeAdapter(list[NamedItemBody])


@api.before_request
def guard_writing() -> None:
    """Refuses writes without the right to write, or to a moved home. Raises Unauthorized, Forbidden, HomeMoved."""
    if request.method in ("PUT", "POST", "DELETE", "PATCH"):
        services().home.check()
        services().access.demand(WRITE)


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


@api.post(
    "/api/items",
    summary="Put many items",
    security=SECURITY,
    responses={200: lines_of(LineAnswer, UpsertAnswer), **problem_responses(401, 403, 422)},
    openapi_extensions=request_body(NamedItemBody, shape="list", has_lines=True),
)
def post_items() -> Response:
    """Replaces or makes many items.

    A JSON list: up to 1,000; all of them or, when one is wrong, none. Lines of JSON (application/x-ndjson): up to
    10,000, each by itself, answered by a line each.
    """
    opened = services()
    if request.mimetype == NDJSON:
        return put_lines(opened.catalogue)
    bodies = json_body(_ITEMS)
    if not 1 <= len(bodies) <= MAX_LIST:
        raise BadInput(f"{len(bodies)} items came; send a list of 1 to {MAX_LIST}")
    twice = sorted({one.item_id for one in bodies if sum(other.item_id == one.item_id for other in bodies) > 1})
    if twice:
        raise NotTogether(f"item_id: {twice[0]!r} comes twice; send each item once")
    counts = opened.catalogue.upsert(drafts_of(opened.catalogue, bodies), ANYWHERE)
    names = ("inserted", "updated", "unchanged", "images_missing", "images_broken")
    return jsonify({name: getattr(counts, name) for name in names})


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
