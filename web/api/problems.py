"""Translates every error into a response, once: problem details (RFC 9457) for programs, a page for browsers."""

import logging
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, current_app, json, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from magpie.data.catalogue.items import MAX_NAME_CHARS
from magpie.data.errors import MagpieError
from magpie.data.home.disk_errors import disk_fault
from magpie.data.home.safe_traceback import safe_traceback
from magpie.web.addresses import address_of
from magpie.web.api.responses import FieldProblem

log = logging.getLogger(__name__)

MAX_DRAIN_BYTES = 64_000_000
MAX_NAMED = 50  # wrong fields in an answer

_REMEDIES = {
    404: "There is nothing at this address. {docs} lists what there is.",
    405: "This address does not take {method}. It takes {allowed}.",
    406: "No such representation can be given here.",
    411: "Send the body with its Content-Length.",
    413: "The request is larger than {limit} bytes. Send a smaller picture or fewer things at once.",
    415: "Content-Type {mimetype} is not understood here.",
}
_TITLES = {413: "Request Too Large"}


def problem(status: int, detail: str, title: str = "", errors: Sequence[FieldProblem] = ()) -> Response:
    """An application/problem+json response."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or _TITLES.get(status) or HTTP_STATUS_CODES.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [error.model_dump() for error in errors]
    return Response(json.dumps(body), status, mimetype="application/problem+json")


def validation_problem(error: ValidationError) -> Response:
    """The problem for fields that a model refuses: 400, each field named with what it should be."""
    wrong = _wrong_fields(error)
    return problem(400, _in_words(wrong), "Invalid request", wrong)


def describe_wrong_fields(error: ValidationError) -> str:
    """The first few fields that a model refuses, with what each should be."""
    return _in_words(_wrong_fields(error))


def _wrong_fields(error: ValidationError) -> list[FieldProblem]:
    found = error.errors(include_url=False)[:MAX_NAMED]
    return [FieldProblem(field=_field_name(one["loc"]), detail=_field_detail(one)) for one in found]


def _in_words(wrong: Sequence[FieldProblem]) -> str:
    return "; ".join(f"{one.field}: {one.detail}" if one.field else one.detail for one in wrong[:5])


def _field_name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:MAX_NAME_CHARS] for part in location)


def _field_detail(error: Any) -> str:
    """One sentence with what was sent, where that helps."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"unknown field; leave it out or see {address_of('/docs')} for the names"
    if error["type"] in ("model_type", "dict_type"):
        message = "must be an object"
    if error["type"] in ("missing", "json_invalid", "value_error"):
        return message
    sent = repr(error.get("input"))
    return message if len(sent) > 60 else f"{message} (sent: {sent})"


def install_problem_handlers(app: Flask) -> None:
    """Registers the error handlers of the application."""
    app.register_error_handler(MagpieError, _answer_magpie_error)
    app.register_error_handler(ValidationError, validation_problem)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer_magpie_error(error: MagpieError) -> Response:
    if error.status >= 500:
        log.warning("%s %s: %s", request.method, request.path, error)
    answer = _for_reader(problem(error.status, str(error)), error.status, str(error))
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _answer_http_error(error: HTTPException) -> Response:
    if error.response is not None and error.code is None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    if isinstance(error.response, Response):
        return error.response
    remedy = _REMEDIES.get(status)
    detail = error.description or HTTP_STATUS_CODES.get(status, "")
    if remedy and (status != 415 or not error.description):
        detail = remedy.format(
            method=request.method,
            allowed=", ".join(sorted(getattr(error, "valid_methods", None) or [])) or "other methods",
            limit=f"{current_app.config['MAX_CONTENT_LENGTH']:,}",
            docs=address_of("/docs"),
            mimetype=request.mimetype or "(none)",
        )
    if status == 413:
        _drain()
    answer = _for_reader(problem(status, detail), status, detail)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
        if name == "WWW-Authenticate":
            answer.headers.add(name, value)
    return answer


def _answer_unexpected(error: Exception) -> Response:
    named = disk_fault(error)
    if named is not None:
        return _answer_magpie_error(named)
    log.error("%s at %s failed\n%s", request.method, request.url_rule or "no route", safe_traceback(error))
    detail = "The server failed at this request. Its log says why."
    return _for_reader(problem(500, detail), 500, detail)


def _drain() -> None:
    """Reads the rest of the body: a client whose connection closes while it sends never sees the response."""
    stream, left = request.environ["wsgi.input"], MAX_DRAIN_BYTES
    while left > 0:
        chunk = stream.read(min(left, 65_536))
        if not chunk:
            return
        left -= len(chunk)


def _for_reader(answer: Response, status: int, detail: str) -> Response:
    """The problem itself for programs and below /api/; an HTML page for browsers."""
    people = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    if request.path.startswith("/api/") or not people:
        return answer
    return Response(render_template("problem.html", status=status, detail=detail), status, mimetype="text/html")
