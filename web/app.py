"""The Flask application: its routes, error handlers, security headers and middleware, on services opened once."""

import atexit
import time
from importlib.metadata import version

from flask import Flask, Response, g, request
from flask_compress import Compress
from flask_openapi3 import Info, OpenAPI

from magpie.data.settings import Settings
from magpie.web.api.clients import ClientBody
from magpie.web.api.clients import api as clients_api
from magpie.web.api.event_schemas import Event
from magpie.web.api.events import api as events_api
from magpie.web.api.health import api as health_api
from magpie.web.api.item_schemas import ItemBody, ItemPatchBody, NamedItemBody, NamedItemPatchBody
from magpie.web.api.items import api as items_api
from magpie.web.api.many_items import api as many_items_api
from magpie.web.api.openapi import DESCRIPTION, SECURITY_SCHEMES, TITLE, add_form, add_schemas
from magpie.web.api.problems import install_problem_handlers, validation_problem
from magpie.web.api.responses import FastJSON, LineAnswer, Problem, UpsertAnswer
from magpie.web.api.search import api as search_api
from magpie.web.api.search_requests import SearchBody
from magpie.web.insights.routes import insights
from magpie.web.insights.sign_in import sign_in
from magpie.web.middleware.base_path import BelowPath, parse_base_path, refuse_own_path
from magpie.web.middleware.cors import CrossOrigin, parse_origins
from magpie.web.middleware.static_cache import StaticCache
from magpie.web.middleware.trusted_proxies import BehindProxies, parse_networks
from magpie.web.page.assets import SCRIPT, install_page_files, style_source
from magpie.web.page.privacy_page import privacy_pages
from magpie.web.page.routes import install_page_texts, pages
from magpie.web.services import Services, open_services
from magpie.web.shared.state import SharedState

# pages load nothing from other hosts and contain no inline script
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
# JSON is not compressed: it would slow searches, and change the ETag of an item that If-Match names
COMPRESSION = {
    "COMPRESS_MIMETYPES": ["text/html", "text/css", "text/javascript", "image/svg+xml", "text/csv"],
    "COMPRESS_ALGORITHM": ["br", "gzip"],
}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
UNLIMITED = (
    "static",
    SCRIPT,
    "pages.picture",
    "api_health.healthz",
    "api_health.readyz",
    "api_health.metrics",
)


def create_app(settings: Settings, shared: SharedState | None = None) -> Flask:
    """A Flask application on this home, its background threads running; without `shared` as the only worker.

    Raises MagpieError where it cannot open.
    """
    app: Flask = OpenAPI(
        __name__,
        info=Info(title=TITLE, version=version("magpie-search"), description=DESCRIPTION),
        security_schemes=SECURITY_SCHEMES,
        doc_ui=False,
        template_folder="page/templates",
        static_folder="page/static",
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=validation_problem,
    )
    app.config.update(MAX_CONTENT_LENGTH=settings.max_upload_bytes, MAX_FORM_MEMORY_SIZE=1_000_000, MAX_FORM_PARTS=200)
    app.config.update(COMPRESSION)
    Compress(app)
    app.json = FastJSON(app)
    app.url_map.merge_slashes = False  # an item's id may hold them
    install_problem_handlers(app)
    install_page_texts(app)
    install_page_files(app)
    for api in (search_api, events_api, clients_api, items_api, many_items_api, health_api):
        app.register_api(api)  # type: ignore[attr-defined]
    add_schemas(app, SearchBody, Event, ClientBody, LineAnswer, UpsertAnswer)
    add_schemas(app, ItemBody, NamedItemBody, ItemPatchBody, NamedItemPatchBody)
    add_form(app, SearchBody, "A picture (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF), at most 10 MB.")
    add_form(app, ItemBody, "A picture of the item; repeat it for more.")
    app.register_blueprint(pages)
    app.register_blueprint(privacy_pages)
    app.register_blueprint(insights)
    app.register_blueprint(sign_in)
    base = parse_base_path(settings.base_path or "")
    refuse_own_path(app, base)
    opened = open_services(settings, shared)
    app.extensions["magpie"] = opened
    atexit.register(opened.close)
    _measure_and_secure(app, opened)
    _limit_rates(app, opened)
    app.wsgi_app = StaticCache(app.wsgi_app, f"{app.static_url_path}/")  # type: ignore[method-assign]
    if base:
        app.wsgi_app = BelowPath(app.wsgi_app, base)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        app.wsgi_app = BehindProxies(app.wsgi_app, parse_networks(settings.trusted_proxies))  # type: ignore[method-assign]
    return app


def _security_headers(app: Flask) -> dict[str, str]:
    policy = CONTENT_SECURITY_POLICY.format(style=style_source(app))
    return SECURITY_HEADERS | {"Content-Security-Policy": policy}


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
    cross_origin = app.extensions["magpie-origins"] = CrossOrigin(parse_origins(opened.settings.allowed_origins or ""))
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
