"""Mounts the application below a path: what a proxy says of it, or MAGPIE_BASE_PATH, becomes WSGI's SCRIPT_NAME."""

import re
from typing import Any
from urllib.parse import unquote

from flask import Flask

from magpie.data.errors import BadSetting

MAX_CHARS = 200
# characters that mean nothing in HTML, in `srcset`, in headers and in scripts; escapes of blanks and of other alphabets
_PLAIN = re.compile(r"(?:/(?:[A-Za-z0-9._~@:+=-]|%(?:20|[89A-Fa-f][0-9A-Fa-f]))+)*/?")
_UP = re.compile(r"/\.{1,2}(?:/|$)")


class BelowPath:
    """WSGI middleware: a site whose pages stand below `base`, such as "/shop".

    A request may come with that path or without it, as proxies pass it on or take it off. A SCRIPT_NAME that is there
    already, which a trusted proxy gave, stays.
    """

    def __init__(self, application: Any, base: str) -> None:
        self._application = application
        self._base = base
        self._asked = unquote(base, "latin-1")  # as PATH_INFO has it

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == self._asked or path.startswith(f"{self._asked}/"):
            environ["PATH_INFO"] = path[len(self._asked) :] or "/"
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME") or self._base
        return self._application(environ, start_response)


def plain_path(text: str) -> str | None:
    """A path such as "/a/b" without the slash at its end ("" for "/"); None for what is no plain path.

    Another host ("//…"), a scheme, a backslash, a quote, a control character, a query and ".." make none.
    """
    if len(text) > MAX_CHARS or not _PLAIN.fullmatch(text) or _UP.search(text):
        return None
    return text.rstrip("/")


def parse_base_path(text: str) -> str:
    """MAGPIE_BASE_PATH as a path without a slash at its end; "" for the root. Raises BadSetting."""
    path = plain_path(text.strip())
    if path is None:
        raise BadSetting(f"MAGPIE_BASE_PATH: {text[:MAX_CHARS]!r} is no plain path; write one such as /shop/search")
    return path


def refuse_own_path(app: Flask, base: str) -> None:
    """Raises BadSetting where the application has addresses of its own below the first part of this path."""
    own = {f"/{rule.rule.split('/')[1]}" for rule in app.url_map.iter_rules()} - {"/"}
    first = "/".join(base.split("/")[:2])
    if first in own:
        raise BadSetting(f"MAGPIE_BASE_PATH: Magpie has addresses of its own below {first}; choose another path")
