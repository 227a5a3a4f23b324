"""One search as every edge asks it: run the engine, count it, log it unless privacy is asked for, render it."""

import time
from typing import Any

from werkzeug.datastructures import Headers

from data.ubi import QueryRecord, ShownHit
from search.request import Hit, SearchRequest, SearchResult
from web.pictures import picture_url
from web.schemas import format_filter_parameters
from web.services import Services

APPLICATION = "magpie"


def wants_privacy(headers: Headers) -> bool:
    """Whether the visitor's browser asks that no behaviour be kept (Do Not Track, Global Privacy Control)."""
    return headers.get("DNT") == "1" or headers.get("Sec-GPC") == "1"


def answer_search(services: Services, request: SearchRequest, private: bool, is_typing: bool = False) -> SearchResult:
    """The engine's answer, counted, and logged with its impressions unless `private`.

    `is_typing` marks what was shown while the query was still being typed: its words may be no words yet.
    """
    started = time.perf_counter()
    result = services.engine.search(request)
    services.metrics.search_seconds.observe(time.perf_counter() - started)
    services.metrics.searches.labels(_kind(request), str(result.confident).lower()).inc()
    if not private and _kind(request) != "browse":
        services.query_log.add(query_record(request, result, is_typing))
    return result


def query_record(request: SearchRequest, result: SearchResult, is_typing: bool) -> QueryRecord:
    """The search as the click log keeps it; the picture itself is not kept, only that there was one."""
    attributes: dict[str, Any] = {
        "mode": request.mode,
        "sort": request.sort,
        "offset": request.offset,
        "k": request.k,
        "filters": format_filter_parameters(request.filters),
        "like": request.like,
        "not": request.not_text,
        "picture": request.picture is not None,
        "typing": is_typing,
        "generation": result.generation,
        "ranker": result.ranker,
        "confident": result.confident,
        "total": result.total,
    }
    return QueryRecord(
        query_id=result.query_id,
        user_query=request.text,
        client_id=request.client_id,
        session_id=request.session_id,
        application=APPLICATION,
        query_attributes={name: value for name, value in attributes.items() if value not in (None, "", [], False)},
        hits=tuple(ShownHit(hit.item_id, hit.position, hit.score) for hit in result.hits),
    )


def result_as_dict(result: SearchResult) -> dict[str, Any]:
    """The answer as DESIGN's JSON names it."""
    return {
        "query_id": result.query_id,
        "generation": result.generation,
        "ranker": result.ranker,
        "took_ms": round(result.took_ms, 3),
        "total": result.total,
        "confident": result.confident,
        "hits": [hit_as_dict(hit) for hit in result.hits],
        "facets": {
            name: [{"value": one.value, "count": one.count} for one in values] for name, values in result.facets.items()
        },
        "ranges": {name: {"min": span.minimum, "max": span.maximum} for name, span in result.ranges.items()},
        "notices": result.notices,
    }


def hit_as_dict(hit: Hit) -> dict[str, Any]:
    """One hit, its picture as an address on this server."""
    fields = {
        "item_id": hit.item_id,
        "position": hit.position,
        "score": hit.score,
        "title": hit.title,
        "description": hit.description,
        "category": hit.category,
        "price": hit.price,
        "currency": hit.currency,
        "url": hit.url,
        "image_url": picture_url(hit.item_id, hit.image) if hit.image else None,
        "attributes": hit.attributes,
    }
    if hit.inferred:
        fields["inferred"] = hit.inferred
    if hit.explain is not None:
        fields["explain"] = hit.explain
    return fields


def _kind(request: SearchRequest) -> str:
    asked = [("words", request.text.strip()), ("picture", request.picture), ("item", request.like)]
    return "+".join(name for name, given in asked if given) or ("filters" if request.filters else "browse")
