"""/api/search, /api/suggest, /api/items/…/similar and /api/recommend."""

from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import TypeAdapter

from magpie.data.errors import BadPicture
from magpie.web.addresses import picture_url
from magpie.web.api.answer_search import answer_recommendation, answer_search, result_as_dict, wants_privacy
from magpie.web.api.item_schemas import ItemPath
from magpie.web.api.items import get_item, is_part_of_the_id
from magpie.web.api.openapi import problem_responses, request_body
from magpie.web.api.query_parameters import with_query
from magpie.web.api.request_bodies import form_body, is_multipart, json_body, uploaded_pictures
from magpie.web.api.responses import FacetValuesAnswer, SearchAnswer, SuggestAnswer
from magpie.web.api.search_requests import (
    MAX_SEARCH_BYTES,
    FacetPath,
    FacetQuery,
    RecommendQuery,
    SearchBody,
    SearchQuery,
    SimilarQuery,
    SuggestQuery,
)
from magpie.web.services import services

_TAG = Tag(name="search", description="Finding items by words, by a picture, by another item, or by any mixture.")

api = APIBlueprint("api_search", __name__, abp_tags=[_TAG], abp_responses=problem_responses())

_BODY = TypeAdapter(SearchBody)


@api.get("/api/search", summary="Search with words", responses={200: SearchAnswer, **problem_responses(422)})
@with_query
def search_by_address(query: SearchQuery) -> Response:
    """Answers a search that an address can hold."""
    result = answer_search(services(), query.to_request(), wants_privacy(request.headers))
    return jsonify(result_as_dict(result))


@api.post(
    "/api/search",
    summary="Search with words, a picture, or both",
    responses={200: SearchAnswer, **problem_responses(422)},
    openapi_extensions=request_body(SearchBody, has_file=True),
)
def search_by_body() -> Response:
    """Answers a search sent as JSON, or as a form with the file `image`."""
    picture = None
    if is_multipart():
        body = form_body(SearchBody, json_fields=("filters",), list_fields=("literal",))
        uploads = uploaded_pictures(limit=1)
        picture = uploads[0] if uploads else None
        if picture == b"":
            raise BadPicture("image: the file is empty; send a picture")
    else:
        body = json_body(_BODY, most_bytes=MAX_SEARCH_BYTES)
    result = answer_search(services(), body.to_request(picture), wants_privacy(request.headers))
    return jsonify(result_as_dict(result))


@api.get("/api/suggest", summary="Ways to complete a query", responses={200: SuggestAnswer})
@with_query
def suggest(query: SuggestQuery) -> Response:
    """Suggests whole queries for what was typed so far."""
    prefix = query.q.strip()
    found = services().engine.suggest(prefix, query.limit) if prefix else []
    details = [
        {
            "text": one.text,
            "kind": one.kind,
            "field": one.field,
            "image_url": picture_url(item.item_id, item.image) if item and item.image else None,
        }
        for one, item in found
    ]
    return jsonify({"suggestions": [one.text for one, _ in found], "details": details})


@api.get(
    "/api/facets/<path:field>",
    summary="The values of a field",
    responses={200: FacetValuesAnswer, **problem_responses(422)},
)
def facet_values(path: FacetPath, query: FacetQuery) -> Response:
    """Lists the values that a field has among the hits of a search, or among all items."""
    found = services().engine.facet_values(path.field, query.to_request(), query.prefix)
    page = found[query.offset : query.offset + query.limit]
    values = [{"value": one.value, "count": one.count} for one in page]
    return jsonify({"field": path.field, "total": len(found), "values": values})


@api.get("/api/items/<path:item_id>/similar", summary="Items like this one", responses={200: SearchAnswer})
def similar(path: ItemPath, query: SimilarQuery) -> Response:
    """Finds what resembles an item, which itself is left out."""
    if is_part_of_the_id("/similar"):
        return get_item(ItemPath(item_id=f"{path.item_id}/similar"))
    return jsonify(_similar(path.item_id, query.k))


@api.get(
    "/api/recommend",
    summary="What to show beside an item, or to a person",
    responses={200: SearchAnswer, **problem_responses(422)},
)
@with_query
def recommend(query: RecommendQuery) -> Response:
    """Recommends items for one that people look at, or for somebody by what they chose before."""
    asked = query.checked()
    return jsonify(result_as_dict(answer_recommendation(services(), asked, wants_privacy(request.headers))))


def _similar(item_id: str, k: int) -> dict[str, Any]:
    return result_as_dict(services().engine.similar(item_id, k))
