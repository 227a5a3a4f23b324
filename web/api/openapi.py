"""The parts of the OpenAPI document beside the models: bodies of several media types, problems, tokens, links."""

from typing import Any, Literal

from flask_openapi3 import OpenAPI
from pydantic import BaseModel

from magpie.data.pictures.decode import FORMATS
from magpie.web.api.responses import Problem
from magpie.web.api.search_requests import MAX_LIST

TITLE = "Magpie"
DESCRIPTION = (
    "Search a catalogue of things with pictures: with words, with a picture, with both. "
    "Errors are problem details (RFC 9457), media type application/problem+json."
)
REF = "#/components/schemas/{model}"
SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token: the owner's, or one of `magpie token create`.",
    }
}
SECURITY: list[dict[str, list[Any]]] = [{"token": []}, {}]

OPEN_PATHS = ("/api/events",)  # a token is optional there: it identifies the sender

_PROBLEMS = {
    400: "A field is wrong; the detail names it and the remedy.",
    404: "Not there.",
    405: "Wrong method.",
    409: "Something else is at work on the home, or the index was built with another encoder.",
    413: "Too large.",
    415: "A content type or a picture that is not understood.",
    429: "Too many requests from this address.",
    500: "The server failed.",
    503: "Nothing can be answered now, for instance because there is no index yet.",
}


_FURTHER = {
    401: "The token is missing or wrong.",
    403: "Refused.",
    422: "Fields do not go together, or name what the catalogue lacks, or a picture that cannot be had.",
    412: "The item is not in the state that If-Match or If-None-Match names.",
}
NDJSON = "application/x-ndjson"
MERGE_PATCH = "application/merge-patch+json"
PICTURE_TYPES = ", ".join(f"image/{kind.lower()}" for kind in FORMATS)


def problem_responses(*more: int) -> dict[int, Any]:
    """The problems that any route may answer."""
    texts = {
        **_PROBLEMS,
        **{status: _FURTHER[status] for status in more},
    }
    content = {"application/problem+json": {"schema": {"$ref": REF.format(model="Problem")}}}
    return {status: {"description": text, "content": content} for status, text in texts.items()}


def with_tokens_needed(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a server that trusts nobody by address: writing and the owner's figures need a token."""
    paths = {
        path: {
            method: {**operation, "security": [one for one in operation["security"] if one]}
            if operation.get("security") and path not in OPEN_PATHS
            else operation
            for method, operation in methods.items()
        }
        for path, methods in document["paths"].items()
    }
    return {**document, "paths": paths}


def with_links(document: dict[str, Any]) -> dict[str, Any]:
    """The document with OpenAPI links from answers that name an item to the operations on that item."""
    item, paths = "/api/items/{item_id}", document["paths"]
    similar = f"{item}/similar"
    following = [(item, "get"), (item, "put"), (item, "patch"), (item, "delete"), (similar, "get")]
    named = "$response.body#/item_id"
    for path, method, statuses, name in (
        (item, "get", ("200",), named),
        (item, "put", ("200", "201"), named),
        (item, "patch", ("200",), named),
        ("/api/search", "get", ("200",), "$response.body#/hits/0/item_id"),
        ("/api/search", "post", ("200",), "$response.body#/hits/0/item_id"),
    ):
        links = {
            paths[to][how]["operationId"]: {
                "operationId": paths[to][how]["operationId"],
                "parameters": {"item_id": name},
            }
            for to, how in following
        }
        for status in statuses:
            paths[path][method]["responses"][status]["links"] = links
    return document


def lines_of(line: type[BaseModel], counts: type[BaseModel]) -> dict[str, Any]:
    """A response that is counts for a JSON body, and a line of JSON for each line of an NDJSON body."""
    return {
        "description": "What became of what was sent.",
        "content": {
            "application/json": {"schema": {"$ref": REF.format(model=counts.__name__)}},
            NDJSON: {"schema": {"type": "string", "description": f"Lines of {line.__name__}."}},
        },
    }


def only_lines_of(line: type[BaseModel]) -> dict[str, Any]:
    """A response that has a line of JSON for each line of an NDJSON body."""
    schema = {"type": "string", "description": f"Lines of {line.__name__}."}
    return {"description": "What became of each line.", "content": {NDJSON: {"schema": schema}}}


def lines_body(model: type[BaseModel]) -> dict[str, Any]:
    """An operation's requestBody: lines of the model as JSON."""
    schema = {"type": "string", "pattern": r"\S", "description": f"Lines of {model.__name__}."}
    return {"requestBody": {"required": True, "content": {NDJSON: {"schema": schema}}}}


def patch_body(model: type[BaseModel]) -> dict[str, Any]:
    """An operation's requestBody: the model as a JSON merge patch, or as plain JSON."""
    one = {"schema": {"$ref": REF.format(model=model.__name__)}}
    return {"requestBody": {"required": True, "content": {MERGE_PATCH: one, "application/json": one}}}


def request_body(
    model: type[BaseModel],
    has_file: bool = False,
    shape: Literal["one", "list", "one or list"] = "one",
    has_lines: bool = False,
) -> dict[str, Any]:
    """An operation's requestBody: the model as JSON (or a list of it), as a form beside the file `image`, as lines."""
    one: dict[str, Any] = {"$ref": REF.format(model=model.__name__)}
    many = {"type": "array", "minItems": 1, "maxItems": MAX_LIST, "items": one}
    schema = {"one": one, "list": many, "one or list": {"anyOf": [one, many]}}[shape]
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if has_file:
        form = {"$ref": REF.format(model=f"{model.__name__}Form")}
        content["multipart/form-data"] = {"schema": form, "encoding": {"image": {"contentType": PICTURE_TYPES}}}
    if has_lines:
        content |= lines_body(model)["requestBody"]["content"]
    return {"requestBody": {"required": True, "content": content}}


def add_form(app: OpenAPI, model: type[BaseModel], file: str) -> None:
    """Adds the model as a form beside the file `image`: objects are written as JSON (OpenAPI's rule), null cannot be.

    `file` describes the file. As a component the schema stays whole; flask-openapi3 drops much of others.
    """
    schema = model.model_json_schema(ref_template=REF)
    for name, field in schema["properties"].items():
        given = [one for one in field.pop("anyOf", []) if one != {"type": "null"}]
        schema["properties"][name] = field | (given[0] if len(given) == 1 else {"anyOf": given} if given else {})
    image = {"type": "string", "contentMediaType": "application/octet-stream", "description": file}
    schema["properties"]["image"] = image
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"required": ["image"]}]
    app.components_schemas[f"{model.__name__}Form"] = schema


def add_schemas(app: OpenAPI, *models: type[BaseModel]) -> None:
    """Adds the models of request bodies, and the problem, to the document's components."""
    shown: list[type[BaseModel]] = [*models, Problem]
    for model in shown:
        schema = model.model_json_schema(ref_template=REF)
        for name, definition in schema.pop("$defs", {}).items():
            app.components_schemas[name] = definition
        app.components_schemas[model.__name__] = schema
