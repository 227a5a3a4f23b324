"""The application: everything opened once, every route and every error's answer in its place."""

import atexit
import base64
import functools
import hashlib
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from flask_compress import Compress
from flask_openapi3 import Info, OpenAPI
from markupsafe import Markup

from data.settings import Settings
from web.answer_schemas import LineAnswer, Problem, UpsertAnswer
from web.api_events import api as events_api
from web.api_items import api as items_api
from web.api_search import api as search_api
from web.cross_origin import CrossOrigin, parse_origins
from web.event_schemas import Event
from web.health import api as health_api
from web.insights import insights
from web.item_schemas import ItemBody, NamedItemBody
from web.json_answers import JSONAnswers
from web.kept_answers import KeptAnswers
from web.openapi import DESCRIPTION, SECURITY_SCHEMES, TITLE, add_form, add_schemas
from web.pages import YEAR_S, install_page_texts, pages
from web.problems import install_problem_handlers, validation_problem
from web.proxies import BehindProxies, parse_networks
from web.schemas import SearchBody
from web.services import Services, open_services
from web.visitor_pages import visitor_pages

# nothing on a page comes from elsewhere, and nothing in a page is code
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' '{style}'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# not JSON: searches must not wait for it, and an item's ETag must stay the one that If-Match is to name
COMPRESSION = {
    "COMPRESS_MIMETYPES": ["text/html", "text/css", "text/javascript", "image/svg+xml", "text/csv"],
    "COMPRESS_ALGORITHM": ["br", "gzip"],
}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
UNLIMITED = (
    "static",
    "pages.picture",
    "api_health.healthz",
    "api_health.readyz",
    "api_health.metrics",
)


def create_app(settings: Settings) -> Flask:
    """A Flask application on this home, its background threads running. Raises MagpieError where it cannot open."""
    app: Flask = OpenAPI(
        __name__,
        info=Info(title=TITLE, version=version("magpie-search"), description=DESCRIPTION),
        security_schemes=SECURITY_SCHEMES,
        doc_ui=False,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=validation_problem,
    )
    app.config.update(MAX_CONTENT_LENGTH=settings.max_upload_bytes, MAX_FORM_MEMORY_SIZE=1_000_000, MAX_FORM_PARTS=200)
    app.config.update(COMPRESSION)
    Compress(app)
    app.json = JSONAnswers(app)
    app.url_map.merge_slashes = False  # an item's id may hold them
    install_problem_handlers(app)
    install_page_texts(app)
    _version_static_files(app)
    app.jinja_env.globals["page_style"] = Markup(_page_style(app))
    for api in (search_api, events_api, items_api, health_api):
        app.register_api(api)  # type: ignore[attr-defined]
    add_schemas(app, SearchBody, Event, ItemBody, NamedItemBody, LineAnswer, UpsertAnswer)
    add_form(app, SearchBody, "A picture (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF), at most 10 MB.")
    add_form(app, ItemBody, "A picture of the item; repeat it for more.")
    app.register_blueprint(pages)
    app.register_blueprint(visitor_pages)
    app.register_blueprint(insights)
    opened = open_services(settings)
    app.extensions["magpie"] = opened
    atexit.register(opened.close)
    _measure_and_secure(app, opened)
    _limit_rates(app, opened)
    app.wsgi_app = KeptAnswers(app.wsgi_app, f"{app.static_url_path}/")  # type: ignore[method-assign]
    if settings.trusted_proxies:
        app.wsgi_app = BehindProxies(app.wsgi_app, parse_networks(settings.trusted_proxies))  # type: ignore[method-assign]
    return app


def _page_style(app: Flask) -> str:
    """The page's look, which travels within the page: nothing can be painted before it is there (docs/speed.md)."""
    return Path(app.static_folder or "", "page.css").read_text(encoding="utf-8")


def _security_headers(app: Flask) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(_page_style(app).encode()).digest()).decode()
    policy = CONTENT_SECURITY_POLICY.format(style=f"sha256-{digest}")
    return SECURITY_HEADERS | {"Content-Security-Policy": policy}


def _version_static_files(app: Flask) -> None:
    """Addresses of static files change with their content, so that browsers may keep them for good."""

    @functools.cache
    def version_of(filename: str) -> str:
        return hashlib.blake2b(Path(app.static_folder or "", filename).read_bytes(), digest_size=6).hexdigest()

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["v"] = version_of(values["filename"])

    @app.after_request
    def keep(answer: Response) -> Response:
        if request.endpoint == "static" and "v" in request.args:
            answer.cache_control.no_cache = None
            answer.cache_control.max_age = YEAR_S
            answer.cache_control.immutable = True
        return answer


def _limit_rates(app: Flask, opened: Services) -> None:
    @app.before_request
    def count() -> None:
        if request.endpoint in UNLIMITED:
            return
        bearer = opened.access.bearer()
        if bearer:
            opened.rate_limits.count_token(bearer.name)
        else:
            opened.rate_limits.count_address(request.remote_addr or "")


def _measure_and_secure(app: Flask, opened: Services) -> None:
    cross_origin = CrossOrigin(parse_origins(opened.settings.allowed_origins or ""))
    security_headers = _security_headers(app)

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "(none)"
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        method = request.method if request.method in METHODS else "(other)"
        opened.metrics.request_seconds.labels(method, route, str(answer.status_code)).observe(seconds)
        if answer.status_code >= 500:
            opened.metrics.errors.labels(route).inc()
        answer.headers.extend(security_headers)  # no view sets any of them
        if cross_origin.origins:
            cross_origin.add_headers(answer)
        return answer
