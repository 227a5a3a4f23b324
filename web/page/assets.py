"""What a page brings with it: its style within it, its script as one file, and addresses that change with the content.

Browsers may keep a file for good whose address holds the hash of what is in it.
"""

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request
from markupsafe import Markup

from magpie.web.page.script_bundle import bundle

SCRIPT = "script"  # the endpoint
YEAR_S = 31_536_000
_SCRIPTS = Path(__file__).parent / "scripts"
_ENTRIES = ("page", "forgotten")


def install_page_files(app: Flask) -> None:
    """Adds the scripts, the style for templates (`page_style`), and versions to the addresses of all static files."""
    app.jinja_env.globals["page_style"] = Markup(_style(app))
    scripts = {name: bundle(_SCRIPTS, name).encode() for name in _ENTRIES}

    def script(name: str) -> Response:
        if name not in scripts:
            abort(404)
        answer = Response(scripts[name], mimetype="text/javascript")
        answer.cache_control.no_cache = True
        answer.add_etag()
        answer.make_conditional(request, accept_ranges=True, complete_length=len(scripts[name]))
        return answer

    app.add_url_rule(f"{app.static_url_path}/<name>.js", SCRIPT, script)

    @functools.cache
    def version_of(endpoint: str, name: str) -> str:
        content = scripts[name] if endpoint == SCRIPT else Path(app.static_folder or "", name).read_bytes()
        return hashlib.blake2b(content, digest_size=6).hexdigest()

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in ("static", SCRIPT):
            values["v"] = version_of(endpoint, values["name" if endpoint == SCRIPT else "filename"])

    @app.after_request
    def keep(answer: Response) -> Response:
        if request.endpoint in ("static", SCRIPT) and "v" in request.args:
            answer.cache_control.no_cache = None
            answer.cache_control.max_age = YEAR_S
            answer.cache_control.immutable = True
        return answer


def style_source(app: Flask) -> str:
    """The page's style as Content-Security-Policy lets it in: by its hash."""
    return f"sha256-{base64.b64encode(hashlib.sha256(_style(app).encode()).digest()).decode()}"


def _style(app: Flask) -> str:
    """The page's look, which travels within the page: nothing can be painted before it is there (docs/speed.md)."""
    return Path(app.static_folder or "", "page.css").read_text(encoding="utf-8")
