"""The files of a page: its style within the page, its script modules bundled into one file, and versioned addresses.

An address with `v`, the hash of the file's content, may be cached for good. One script instead of ten saves a browser
nine requests while it draws.
"""

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request
from markupsafe import Markup

SCRIPT = "script"  # the endpoint
YEAR_S = 31_536_000
_SCRIPTS = Path(__file__).parent / "scripts"
_ENTRIES = ("page", "forgotten")
# the forms of import and export that `bundle_modules` reads, each at the beginning of a line
_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|(?:async )?function) (\w+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


def install_page_files(app: Flask) -> None:
    """Adds the scripts, the style for templates (`page_style`), and versions to the addresses of all static files."""
    app.jinja_env.globals["page_style"] = Markup(_style(app))
    scripts = {name: bundle_modules(_SCRIPTS, name).encode() for name in _ENTRIES}

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
    """The style sheet's hash as a source for the Content-Security-Policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(_style(app).encode()).digest()).decode()}"


def _style(app: Flask) -> str:
    """The style sheet, part of every page since a browser paints nothing before it has it (docs/speed.md)."""
    return Path(app.static_folder or "", "page.css").read_text(encoding="utf-8")


def bundle_modules(folder: Path, entry: str) -> str:
    """One script: the ES module `entry` and all that it imports, each before the first module that needs it.

    Reads `import { a, b } from "./other.js";` and `export` before a declaration. Each module's declarations stay its
    own, as in ES modules. Raises ValueError for other forms and for import cycles, OSError for a missing module.
    """
    bundled: dict[str, str] = {}
    _add(folder, entry, bundled)
    return "\n".join(bundled.values())


def _add(folder: Path, name: str, bundled: dict[str, str], above: tuple[str, ...] = ()) -> None:
    if name in above:
        raise ValueError(f"import cycle: {' → '.join((*above, name))}")
    source = (folder / f"{name}.js").read_text(encoding="utf-8")
    for _, needed in _IMPORT.findall(source):
        if needed not in bundled:
            _add(folder, needed, bundled, (*above, name))
    exported = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(r"const { \1 } = \2_js;", source))
    if left_over := _LEFT_OVER.search(body):
        raise ValueError(f"{name}.js: {left_over.group()!r} is of a form that cannot be bundled")
    bundled[name] = f"const {name}_js = (() => {{\n{body}return {{ {exported} }};\n}})();\n"
