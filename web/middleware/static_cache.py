"""Static files over HTTP, each made once: a page asks for ten while it is drawn, on the same cores as this server."""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], bytes]  # status, headers, body
_MOST = 200  # answers; an address may carry any parameters
_VARYING = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_RANGE", "HTTP_ORIGIN")


class StaticCache:
    """A WSGI application that answers plain requests below one path as it did before, compressed and all.

    What lies there must not change while the server runs. Kept answers cost a tenth; the metrics do not count them.
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
