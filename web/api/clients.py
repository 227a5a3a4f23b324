"""POST /api/clients: signs the id of a client, so that its browser can prove who it is."""

import secrets

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from magpie.data.database.api_tokens import EVENTS
from magpie.web.api.event_schemas import NO_NUL
from magpie.web.api.openapi import SECURITY, problem_responses, request_body
from magpie.web.api.request_bodies import json_body
from magpie.web.api.responses import ClientAnswer
from magpie.web.services import services

_TAG = Tag(name="events", description="What people did with what they found (OpenSearch User Behavior Insights 1.3).")

api = APIBlueprint("api_clients", __name__, abp_tags=[_TAG], abp_responses=problem_responses())


class ClientBody(BaseModel):
    """The shop's own name of a client."""

    model_config = ConfigDict(extra="forbid")
    client_id: str = Field("", max_length=128, pattern=NO_NUL, description="Left out: a new random one.")


_BODY = TypeAdapter(ClientBody)


@api.post(
    "/api/clients",
    summary="Sign a client's id",
    security=SECURITY,
    responses={201: ClientAnswer, **problem_responses(401, 403)},
    openapi_extensions=request_body(ClientBody),
)
def sign_client() -> tuple[Response, int]:
    """Gives the id with a signature, for one person's browser to send as its client_id for 180 days."""
    opened = services()
    opened.access.demand(EVENTS)
    named = json_body(_BODY)
    return jsonify({"client_id": opened.identities.sign_client(named.client_id or secrets.token_hex(16))}), 201
