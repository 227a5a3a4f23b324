"""Below a path, every address that Magpie writes stands below that path, whoever says which it is."""

from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import Client, client_of

ADDRESSES = {"action", "data-root", "href", "src", "srcset"}


class Addresses(HTMLParser):
    """Collects the addresses in a page, but for those within it and those of other hosts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ADDRESSES and value:
                given = value.split(", ") if name == "srcset" else [value]
                self.found |= {one for one in given if not one.startswith(("#", "https://"))}


@pytest.fixture(params=["mount point", "base path", "proxy"])
def mounted(own_shop: Settings, request: pytest.FixtureRequest) -> Iterator[Client]:
    said_by_proxy = {"trusted_proxies": "127.0.0.1", "base_path": "/elsewhere"}
    app = create_app(
        own_shop.model_copy(update={"base path": {"base_path": "/shop"}, "proxy": said_by_proxy}.get(request.param, {}))
    )
    client = client_of(app)
    if request.param == "mount point":
        app.config["APPLICATION_ROOT"] = "/shop"
    if request.param == "proxy":
        client.environ_base["HTTP_X_FORWARDED_PREFIX"] = "/forged, /shop/"
    yield client
    app.extensions["magpie"].close()


def upload(client: Client) -> str:
    """The address to which a search with a picture is sent on."""
    picture = BytesIO()
    Image.new("RGB", (40, 40), "red").save(picture, "PNG")
    picture.seek(0)
    return str(client.post("/", data={"image": (picture, "red.png")}).headers["Location"])


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?q=red+ball&filter=colour%3ARed&sort=price", "/?like=box-red&q=blue", "/item?id=box-red"),
        *("/me", "/docs", "/insights?days=all", "/nowhere", "/?picture=gone"),
    ],
)
def test_addresses_of_pages_stand_below_the_mount_point(mounted: Client, path: str) -> None:
    page = mounted.get(path, headers={"Accept": "text/html"}).get_data(as_text=True)
    found = Addresses(page).found
    assert len(found) >= 5
    assert [one for one in found if not one.startswith("/shop/")] == []


def test_redirects_and_pictures_stand_below_the_mount_point(mounted: Client) -> None:
    address = upload(mounted)
    assert address.startswith("/shop/?picture=")
    page = mounted.get(address.removeprefix("/shop")).get_data(as_text=True)
    assert "/shop/uploads/" in page and [one for one in Addresses(page).found if not one.startswith("/shop/")] == []
    hits = mounted.get("/api/search?q=red+ball").get_json()["hits"]
    assert hits[0]["image_url"].startswith("/shop/pictures?")
    assert mounted.get("/results?q=ball").headers["X-Magpie-Url"] == "/shop/?q=ball"
    assert mounted.get("/?min:price=3").headers["Location"].startswith("/shop/?filter=")
    assert mounted.post("/language", data={"to": "zh"}).headers["Location"] == "/shop/"


def test_programs_are_told_the_path(mounted: Client) -> None:
    assert mounted.get("/openapi.json").get_json()["servers"] == [{"url": "/shop"}]
    assert "/shop/api/search" in mounted.get("/docs").get_data(as_text=True)
    assert "/shop/docs" in mounted.get("/api/nowhere").get_json()["detail"]
