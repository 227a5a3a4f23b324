"""Caches the responses for static files in memory: a page asks for several while it is drawn."""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], bytes]  # status, headers, body
_MOST = 200  # answers; an address may carry any parameters
_VARYING = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "HTTP_ORIGIN")


class StaticCache:
    """WSGI middleware: answers repeated GET requests below one path with the same bytes as the first time.

    The files there must not change while the server runs. A cached response costs a tenth of a new one, and the
    metrics do not count it.
    """

    def __init__(self, application: Any, path: str) -> None:
        self._application = application
        self._path = path
        self._kept: dict[tuple[str, str, str], Answer] = {}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(self._path) or environ["REQUEST_METHOD"] != "GET" or any(map(environ.get, _VARYING)):
            return self._application(environ, start_response)
        key = path, environ.get("QUERY_STRING", ""), environ.get("HTTP_ACCEPT_ENCODING", "")
        answer = self._kept.get(key)
        if answer is None:
            answer = self._ask(environ)
            if answer[0].startswith("200") and len(self._kept) < _MOST:
                self._kept[key] = answer
        status, headers, body = answer
        start_response(status, list(headers))
        return [body]

    def _ask(self, environ: Environ) -> Answer:
        """The application's own answer."""
        begun: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], fault: Any = None) -> Callable[[bytes], object]:
            begun[:] = status, headers
            return lambda _: None

        with closing(self._application(environ, begin)) as parts:
            body = b"".join(parts)
        return begun[0], begun[1], body
