"""Whose word about the path below which Magpie stands is believed, and which words are."""

import re
import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.middleware.base_path import MAX_CHARS, parse_base_path, plain_path
from tests.support.serving import Client, client_of

NOT_PLAIN = [
    *(
        "//evil.example",
        "/\\evil.example",
        "\\evil",
        "javascript:x",
        "https://evil.example",
        "evil",
        '/"><script>',
        "/'x",
    ),
    *("/a//b", "/a/../b", "/..", "/a/./b", "/.", "/a?b", "/a#b", "/a b", "/a\tb", "/a\r\nX: y", "/a\0", "/%2e%2e/x"),
    *("/a%2fb", "/a%5cb", "/a%", "/<b>", "/a,/b", "/a;b", "/k\u00e4se", "/" + "a" * MAX_CHARS),
]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_no_plain_path_is_none(text: str) -> None:
    assert plain_path(text) is None
    with pytest.raises(BadSetting, match="MAGPIE_BASE_PATH"):
        parse_base_path(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("/", ""),
        ("/shop", "/shop"),
        ("/shop/", "/shop"),
        ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
        ("/.well", "/.well"),
        ("/k%C3%A4se", "/k%C3%A4se"),
        ("/a%20b", "/a%20b"),
        ("/a..b/c", "/a..b/c"),
    ],
)
def test_plain_paths_are_taken_without_the_slash_at_their_end(text: str, path: str) -> None:
    assert plain_path(text) == path == parse_base_path(f" {text} ")


@given(st.text(string.printable + "\u00e4\u2028", max_size=12))
def test_a_plain_path_can_stand_in_a_page_and_a_header(text: str) -> None:
    path = plain_path(text)
    assert not path or (re.fullmatch(r"/[^/\s\"'<>&?#\\,]+(/[^/\s\"'<>&?#\\,]+)*", path) and path.isascii())


@pytest.fixture
def client(own_shop: Settings) -> Iterator[Client]:
    app = create_app(own_shop.model_copy(update={"trusted_proxies": "10.0.0.0/8"}))
    yield client_of(app)
    app.extensions["magpie"].close()


def link_to_docs(client: Client, peer: str, prefix: str) -> str:
    page = client.get("/?q=ball", environ_base={"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_PREFIX": prefix})
    assert page.status_code == 200
    (found,) = re.findall(r'href="([^"]*/docs)"', page.get_data(as_text=True))
    return str(found)


@pytest.mark.parametrize(
    ("peer", "prefix", "link"),
    [
        ("10.1.2.3", "/shop/search", "/shop/search/docs"),
        ("10.1.2.3", "/forged, /shop", "/shop/docs"),
        ("10.1.2.3", "/", "/docs"),
        ("10.1.2.3", "", "/docs"),
        *(("10.1.2.3", one, "/docs") for one in NOT_PLAIN if one != "/a,/b"),
        ("127.0.0.1", "/shop", "/docs"),
        ("192.0.2.9", "/shop", "/docs"),
    ],
)
def test_only_a_trusted_proxy_says_the_path(client: Client, peer: str, prefix: str, link: str) -> None:
    assert link_to_docs(client, peer, prefix) == link


@pytest.mark.parametrize(("base", "asked"), [("/a/b", "/a/b"), ("/k%C3%A4se", "/k\u00e4se")])
def test_requests_come_with_the_base_path_or_without_it(settings: Settings, base: str, asked: str) -> None:
    app = create_app(settings.model_copy(update={"base_path": base}))
    client = client_of(app)
    for path in ("/healthz", "/docs", "/static/magpie.svg"):
        assert [client.get(f"{before}{path}").status_code for before in ("", asked)] == [200, 200]
    for path in (asked, f"{asked}/", "/"):
        assert f'data-root="{base}/"' in client.get(path, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert client.get(f"{asked}x/healthz").status_code == 404
    app.extensions["magpie"].close()


@pytest.mark.parametrize("base", ["/api", "/api/x", "/docs", "/static/y", "/item"])
def test_a_base_path_is_none_of_the_own_paths(settings: Settings, base: str) -> None:
    with pytest.raises(BadSetting, match="MAGPIE_BASE_PATH"):
        create_app(settings.model_copy(update={"base_path": base}))
