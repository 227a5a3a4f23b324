"""Static files are answered from memory, as Flask would answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.middleware.static_cache import StaticCache

NAME = "/static/page.js"


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    opened = create_app(settings)
    yield opened
    opened.extensions["magpie"].close()


class Echo(list[bytes]):
    """A WSGI application that counts its calls and answers with what it was asked."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> "Echo":
        self.append(f"{environ['QUERY_STRING']} {environ.get('HTTP_ACCEPT_ENCODING', '')}".encode())
        start_response("200 OK", [("X-Number", str(len(self)))])
        return Echo(self[-1:])

    def close(self) -> None:
        """As an answer of a WSGI application may have it."""


def test_the_second_answer_is_the_first_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    first = app.test_client().get(NAME)
    monkeypatch.setattr(app, "full_dispatch_request", None)  # nobody is asked again
    again = app.test_client().get(NAME)
    assert (again.status_code, again.data, list(again.headers)) == (200, first.data, list(first.headers))
    assert "default-src 'none'" in again.headers["Content-Security-Policy"]


def test_what_depends_on_more_than_the_address_is_asked_anew(app: Flask) -> None:
    client = app.test_client()
    etag = client.get(NAME).headers["ETag"]
    with client.get(NAME, headers={"If-None-Match": etag}) as same:
        assert same.status_code == 304
    with client.get(NAME, headers={"Range": "bytes=0-9"}) as part:
        assert part.status_code == 206
    with client.head(NAME) as head:
        assert head.data == b""
    assert client.get("/static/nothing.js").status_code == 404


def test_every_encoding_has_its_own_and_no_address_fills_the_memory() -> None:
    echo = Echo()
    kept = StaticCache(echo, "/static/")
    for turn in range(2):
        for number in range(150):
            for encoding in ("br", ""):
                asked = {"PATH_INFO": NAME, "REQUEST_METHOD": "GET", "QUERY_STRING": str(number)}
                answer = kept(asked | ({"HTTP_ACCEPT_ENCODING": encoding} if encoding else {}), lambda *_: None)
                assert list(answer) == [f"{number} {encoding}".encode()]
        assert len(echo) == 300 + turn * 100  # 200 are kept
