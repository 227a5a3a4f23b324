"""/healthz, /readyz and /metrics for monitoring; /openapi.json and /docs describe the interface."""

from typing import Any

from flask import Response, current_app, jsonify, render_template
from flask_openapi3 import APIBlueprint, Tag

from magpie.data.database.api_tokens import READ
from magpie.data.errors import Unavailable
from magpie.web.addresses import address_of
from magpie.web.api.openapi import SECURITY, problem_responses, with_links, with_tokens_needed
from magpie.web.api.responses import Health, Readiness
from magpie.web.services import services

_TAG = Tag(name="operation", description="For machines that watch this one.")

api = APIBlueprint("api_health", __name__, abp_tags=[_TAG], abp_responses=problem_responses())


@api.get("/healthz", summary="Is the process alive?", responses={200: Health})
def healthz() -> Response:
    """Says that the process answers."""
    return jsonify({"status": "ok"})


@api.get("/readyz", summary="Can searches be answered?", responses={200: Readiness})
def readyz() -> Response:
    """Says whether searches are answered, from which generation, and what is wrong with it."""
    status = services().status()
    if not status.get("generation"):
        raise Unavailable("; ".join(status["alarms"]))
    return jsonify({"status": "ready", **status})


@api.get(
    "/metrics",
    summary="Measurements for Prometheus",
    security=SECURITY,
    responses={
        200: {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problem_responses(401, 403),
    },
)
def metrics() -> Response:
    """Everything measured, in Prometheus' text format."""
    services().access.demand(READ)
    return Response(services().metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


@api.get("/openapi.json", doc_ui=False)
def openapi_document() -> Response:
    """The OpenAPI 3.1 document of the interface."""
    return jsonify(_document())


@api.get("/docs", doc_ui=False)
def docs() -> str:
    """The OpenAPI document as a page, rendered here since readers may have no internet access."""
    return render_template("docs.html", spec=_document())


def _document() -> dict[str, Any]:
    document = with_links(current_app.api_doc)  # type: ignore[attr-defined]
    document = {**document, "servers": [{"url": address_of("") or "/"}]}
    return document if services().settings.trust_loopback else with_tokens_needed(document)
