"""Many items over HTTP: list, put, patch, delete."""

from collections.abc import Mapping

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint
from pydantic import TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from magpie.data.catalogue.listing import parse_cursor
from magpie.data.errors import BadInput, NotTogether, UnknownField
from magpie.indexer.indexes.field_filter import FieldFilter
from magpie.web.api.bulk_items import patch_lines, put_lines
from magpie.web.api.filter_notation import parse_filter_parameters
from magpie.web.api.item_drafts import ANYWHERE, drafts_of
from magpie.web.api.item_schemas import DeleteQuery, ListQuery, NamedItemBody, NamedItemPatchBody
from magpie.web.api.items import ITEMS_TAG, guard_writing, item_as_dict, refuse_parameters
from magpie.web.api.openapi import (
    NDJSON,
    SECURITY,
    lines_body,
    lines_of,
    only_lines_of,
    problem_responses,
    request_body,
)
from magpie.web.api.query_parameters import with_query
from magpie.web.api.request_bodies import json_body
from magpie.web.api.responses import DeletedAnswer, ItemsAnswer, LineAnswer, UpsertAnswer
from magpie.web.api.search_requests import MAX_LIST
from magpie.web.services import Services, services

api = APIBlueprint("api_many_items", __name__, abp_tags=[ITEMS_TAG], abp_responses=problem_responses())
api.before_request(guard_writing)

_ITEMS = TypeAdapter(list[NamedItemBody])
_MOST_ROUNDS = 5  # of deleting what somebody else changes meanwhile


@api.get("/api/items", summary="List the items", responses={200: ItemsAnswer, **problem_responses(422)})
@with_query
def list_items(query: ListQuery) -> Response:
    """Lists all items, or those that pass filters, page by page; each comes once, whatever is written meanwhile."""
    opened = services()
    cursor = parse_cursor(query.cursor) if "cursor" in query.model_fields_set else None
    filters = parse_filter_parameters(query.filter)
    among = opened.engine.passing(filters).ids.tolist() if filters else None
    items, following = opened.catalogue.page(cursor, query.limit, among)
    return jsonify(
        {"items": [item_as_dict(item) for item in items], "next_cursor": str(following) if following else None}
    )


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
    refuse_parameters()
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


@api.patch(
    "/api/items",
    summary="Change parts of many items",
    security=SECURITY,
    responses={200: only_lines_of(LineAnswer), **problem_responses(401, 403)},
    openapi_extensions=lines_body(NamedItemPatchBody),
)
def patch_items() -> Response:
    """Changes up to 10,000 items, one a line (application/x-ndjson), each by itself, answered by a line each."""
    refuse_parameters()
    if request.mimetype != NDJSON:
        raise UnsupportedMediaType(f"Send {NDJSON}, not {request.mimetype or 'an untyped body'}.")
    return patch_lines(services().catalogue)


@api.delete(
    "/api/items",
    summary="Delete many items",
    security=SECURITY,
    responses={200: DeletedAnswer, **problem_responses(401, 403, 422)},
)
@with_query
def delete_items(query: DeleteQuery) -> Response:
    """Deletes the items of these ids, or all that pass the filters."""
    opened = services()
    if query.item_id and query.filter:
        raise NotTogether("Give item_id or filter, not both; nothing was deleted.")
    if query.item_id:
        return jsonify({"deleted": opened.catalogue.delete_many(query.item_id)})
    if not query.filter:
        raise NotTogether("Nothing says what to delete: give item_id=… or filter=FIELD:VALUE.")
    return jsonify({"deleted": _delete_passing(opened, parse_filter_parameters(query.filter))})


def _delete_passing(opened: Services, filters: Mapping[str, FieldFilter]) -> int:
    """How many items were deleted that pass the filters; one that changes meanwhile is looked at again."""
    deleted = 0
    for _ in range(_MOST_ROUNDS):
        try:
            passing = opened.engine.passing(filters)
        except UnknownField:
            if deleted:  # the field went with its last item
                break
            raise
        number = opened.catalogue.delete_unchanged(passing.ids.tolist(), passing.revision)
        deleted += number
        if number == len(passing.ids):
            break
    return deleted
