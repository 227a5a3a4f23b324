"""Answers a search or a recommendation for the API and the page: runs it, counts it, logs it, renders it as JSON."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import request as http_request
from werkzeug.datastructures import Headers

from magpie.data.catalogue.instants import format_instant
from magpie.data.database.api_tokens import EVENTS
from magpie.data.events.filter_reasons import BOT
from magpie.data.events.personal_fields import is_crawler
from magpie.data.events.ubi import QueryRecord, ShownHit
from magpie.search.experiments.exploration import Explored, Shares, explore, is_by_somebody
from magpie.search.experiments.interleaving import Interleaved, interleave
from magpie.search.ranker.named_rankings import check_rankings
from magpie.search.request import Hit, Range, SearchRequest, SearchResult, Understood
from magpie.web.addresses import picture_url
from magpie.web.api.filter_notation import format_filter_parameters
from magpie.web.api.search_requests import RecommendQuery
from magpie.web.middleware.identity import NOBODY, Asker
from magpie.web.services import Services

APPLICATION = "magpie"
MAX_LOGGED_BYTES = 400  # of a search's filters, and of what it is not to be about; twice of its words
# Hits that the log keeps: those of the page's first screens, which are what people see. Programs ask for up to 1,000.
FEWEST_LOGGED_HITS = 24  # a page's, however large their ids and the ranker's inputs
MOST_LOGGED_HITS = 96
MAX_HIT_BYTES = 3_000  # of the further ones
QUERY_BYTES = 500  # of a logged search without words, attributes and hits: its row and indexes, in SQLite
_ROW_BYTES = 32  # of a hit without id and inputs, in SQLite


def wants_privacy(headers: Headers) -> bool:
    """Whether these request headers ask that no behaviour be stored (Do Not Track, Global Privacy Control)."""
    return headers.get("DNT") == "1" or headers.get("Sec-GPC") == "1"


def filter_reason_of_client() -> str:
    """The reason to filter this request's records out as spam: its User-Agent names a crawler; else ""."""
    return BOT if is_crawler(http_request.headers.get("User-Agent", "")) else ""


def answer_search(services: Services, request: SearchRequest, private: bool, is_typing: bool = False) -> SearchResult:
    """The engine's answer, counted in the metrics, and logged with its impressions unless `private`.

    `is_typing` marks, in the log, an answer to a query that was not typed to its end.
    Only for who proves to be somebody is a search explored, interleaved or personalised; a private one never is.
    """
    services.rate_limits.count_client(request.client_id or request.session_id)
    asker = NOBODY if private else services.identities.asker(request.client_id, request.session_id)
    request = replace(request, client_id=asker.known_client, session_id=asker.known_session)
    is_logged = not private and _kind(request) != "browse"
    started = time.perf_counter()
    shown = _shown(services, request, may_try=is_logged)
    result = shown.result
    services.metrics.search_seconds.observe(time.perf_counter() - started)
    services.metrics.searches.labels(_kind(request), str(result.confident).lower()).inc()
    if is_logged:
        log_search(services, query_record(request, asker, shown, is_typing, filter_reason_of_client()))
    return result


def _shown(services: Services, request: SearchRequest, may_try: bool) -> Explored | Interleaved:
    """The answer: interleaved while two rankings are compared, else explored, else as the engine ranks it."""
    search, settings = services.engine.search, services.settings
    may_try = may_try and is_by_somebody(request)
    if may_try and settings.compare:
        rankings = check_rankings(settings.compare)
        if all(services.engine.ranks_by(name) for name in rankings):
            return interleave(search, request, rankings)
    if may_try:
        shares = Shares(settings.explore_share, settings.explore_new_share, settings.explore_draw_share)
        return explore(search, request, shares, services.engine.popularity.is_cold)
    return Explored(search(request))


def answer_recommendation(services: Services, asked: RecommendQuery, private: bool) -> SearchResult:
    """Recommendations for an item or a person, logged with their impressions if a client or session is given.

    Who does not prove to be that client or session gets what a stranger gets.
    """
    services.rate_limits.count_client(asked.client_id or asked.session_id)
    asker = NOBODY if private else services.identities.asker(asked.client_id, asked.session_id)
    client, session = asker.known_client, asker.known_session
    started = time.perf_counter()
    if asked.item:
        found = services.recommender.beside(asked.item, asked.k, client, session)
    else:
        found = services.recommender.for_person(client, session, asked.k)
    result = replace(found.result, took_ms=1000 * (time.perf_counter() - started))
    if asker.client_id or asker.session_id:
        attributes: dict[str, Any] = {"ranker": result.ranker, "generation": result.generation, "k": asked.k}
        attributes |= {"item": asked.item} if asked.item else {}
        new = [position for position in found.new_positions if position <= MOST_LOGGED_HITS]
        attributes |= {"new_positions": new} if new else {}
        hits = logged_hits([ShownHit(hit.item_id, hit.position, hit.score) for hit in result.hits])
        log_search(
            services,
            QueryRecord(
                query_id=result.query_id,
                client_id=asker.client_id,
                session_id=asker.session_id,
                application=APPLICATION,
                query_attributes=attributes,
                hits=hits,
                filter_reason=filter_reason_of_client(),
                origin=asker.origin,
            ),
        )
    return result


def log_search(services: Services, record: QueryRecord) -> None:
    """Logs the search beside the answer, unless the log has no more room for it, which the metrics count."""
    num_bytes = QUERY_BYTES + len(record.user_query.encode()) + len(json.dumps(dict(record.query_attributes)))
    num_bytes += sum(map(_hit_bytes, record.hits))
    bearer = services.access.bearer()
    is_trusted = bearer is not None and bearer.may(EVENTS)
    if services.log_room.has_room(http_request.remote_addr or "", num_bytes, is_trusted):
        services.query_log.add(record)
    else:
        services.metrics.unlogged.inc()


def query_record(
    request: SearchRequest, asker: Asker, shown: Explored | Interleaved, is_typing: bool, filter_reason: str = ""
) -> QueryRecord:
    """The search as the event log stores it, by who asks; of a picture only that there was one."""
    result = shown.result
    propensities = (isinstance(shown, Explored) and shown.propensities) or (None,) * len(result.hits)
    attributes: dict[str, Any] = {
        "mode": request.mode,
        "sort": request.sort,
        "offset": request.offset,
        "k": request.k,
        **_logged_filters(request),
        "like": request.like,
        "not": _cut(request.not_text, MAX_LOGGED_BYTES),
        "picture": request.picture is not None,
        "typing": is_typing,
        "layout": request.layout,
        "generation": result.generation,
        "ranker": result.ranker,
        "confident": result.confident,
        "total": result.total,
        **shown.attributes,
    }
    hits = logged_hits(
        [
            ShownHit(hit.item_id, hit.position, hit.score, propensity, hit.inputs)
            for hit, propensity in zip(result.hits, propensities, strict=True)
        ]
    )
    if isinstance(shown, Interleaved):
        attributes["teams"] = shown.teams[: len(hits)]
    return QueryRecord(
        query_id=result.query_id,
        user_query=_cut(request.text, 2 * MAX_LOGGED_BYTES),
        client_id=asker.client_id,
        session_id=asker.session_id,
        application=APPLICATION,
        query_attributes={name: value for name, value in attributes.items() if value not in (None, "", [], False)},
        hits=hits,
        filter_reason=filter_reason,
        origin=asker.origin,
    )


def logged_hits(shown: Sequence[ShownHit]) -> tuple[ShownHit, ...]:
    """The first of the shown hits: at least a page of them, more as long as they are small."""
    kept, used_bytes = 0, 0
    for hit in shown[:MOST_LOGGED_HITS]:
        used_bytes += _hit_bytes(hit)
        if kept >= FEWEST_LOGGED_HITS and used_bytes > MAX_HIT_BYTES:
            break
        kept += 1
    return tuple(shown[:kept])


def _hit_bytes(hit: ShownHit) -> int:
    inputs = len(json.dumps(dict(hit.features))) if hit.features else 0
    return _ROW_BYTES + len(hit.item_id.encode(errors="replace")) + inputs


def _logged_filters(request: SearchRequest) -> dict[str, Any]:
    """The filters that the log keeps: the first ones, and how many more there were."""
    written, kept, used_bytes = format_filter_parameters(request.filters), [], 0
    for one in written:
        used_bytes += len(one.encode(errors="replace"))
        if used_bytes > MAX_LOGGED_BYTES:
            break
        kept.append(one)
    return {"filters": kept, "filters_left_out": len(written) - len(kept) or None}


def _cut(text: str, most_bytes: int) -> str:
    """The beginning of the text that UTF-8 holds in so many bytes."""
    return text.encode(errors="replace")[:most_bytes].decode(errors="ignore")


def result_as_dict(result: SearchResult) -> dict[str, Any]:
    """The answer as the JSON interface names its fields."""
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
        "ranges": {name: _range_as_dict(span) for name, span in result.ranges.items()},
        "notices": result.notices,
        "understood": [_understood_as_dict(one) for one in result.understood],
        "corrected": result.corrected,
        "did_you_mean": result.did_you_mean,
    }


def _understood_as_dict(one: Understood) -> dict[str, Any]:
    """One part of the query as JSON; what it has nothing of is left out."""
    about: dict[str, Any] = {"kind": one.kind, "text": one.text}
    about |= {"field": one.field} if one.field else {}
    about |= {"filter": one.filter} if one.filter else {}
    return about | ({"words": list(one.words)} if one.words else {})


def _range_as_dict(span: Range) -> dict[str, Any]:
    """The range as JSON; dates in ISO 8601."""
    least, greatest, *edges = (
        format_instant(number) if span.is_dates else number
        for number in (span.minimum, span.maximum, *span.spread.edges)
    )
    return {"min": least, "max": greatest, "histogram": {"edges": edges, "counts": list(span.spread.counts)}}


def hit_as_dict(hit: Hit) -> dict[str, Any]:
    """One hit as JSON; `image_url` is an address on this server."""
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
