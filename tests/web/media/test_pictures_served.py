"""Pictures over HTTP: the right bytes, cached as long as they are right, and never another file."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from PIL import Image

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.media.picture_store import WIDTHS
from tests.support.serving import client_of
from tests.support.shop import HOSTILE_ID


@pytest.fixture
def client(settings: Settings, tmp_path: Path, picture: Callable[..., Path]) -> Iterator[FlaskClient]:
    """An application on items with pictures of several kinds; no index is needed to show pictures."""
    picture("pictures/small.jpg", "red", (60, 80))
    picture("pictures/large.jpg", "blue", (2400, 1800))
    picture("pictures/scan.tif", "green", (900, 600))
    picture("pictures/second.png", "black", (50, 40))
    (tmp_path / "pictures" / "page.html.jpg").write_text("<script>window.bad=1</script>")
    (tmp_path / "secret.jpg").write_bytes((tmp_path / "pictures" / "small.jpg").read_bytes())
    drafts = [
        ItemDraft("small", "Small", pictures=("small.jpg", "second.png")),
        ItemDraft("large", "Large", pictures=("large.jpg",)),
        ItemDraft("scan", "Scan", pictures=("scan.tif",)),
        ItemDraft("bad", "Bad", pictures=("page.html.jpg", "gone.jpg", "../secret.jpg", "/etc/passwd")),
        ItemDraft(HOSTILE_ID, "Hostile", pictures=("small.jpg",)),
        ItemDraft("none", "None"),
    ]
    database = open_database(settings)
    Catalogue(database, settings).upsert(drafts, tmp_path / "pictures")
    database.close()
    app = create_app(settings)
    yield client_of(app)
    app.extensions["magpie"].close()


def url_of(client: FlaskClient, item_id: str, number: int = 0) -> str:
    images = client.get("/api/items/" + quote(item_id, safe="")).get_json()["images"]
    return str(images[number]["url"])


def test_a_browser_that_asks_for_an_icon_gets_one(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")


def test_the_original_comes_as_it_is(client: FlaskClient, tmp_path: Path) -> None:
    answer = client.get(url_of(client, "small"))
    assert answer.data == (tmp_path / "pictures" / "small.jpg").read_bytes()
    assert answer.mimetype == "image/jpeg" and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(url_of(client, "small", 1)).mimetype == "image/png"


def test_a_right_version_is_kept_for_good_and_a_wrong_one_is_asked_for_again(client: FlaskClient) -> None:
    url = url_of(client, "small")
    right = client.get(url)
    kept_for_good = right.cache_control
    assert kept_for_good.immutable and kept_for_good.max_age == 31_536_000 and not kept_for_good.no_cache
    for other in (url.split("&v=")[0], url.split("&v=")[0] + "&v=0123"):
        assert client.get(other).headers["Cache-Control"] == "no-cache"


def test_what_the_browser_has_is_not_sent_again(client: FlaskClient) -> None:
    url = url_of(client, "large") + "&w=320"
    first = client.get(url)
    by_tag = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    by_time = client.get(url, headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert (by_tag.status_code, by_tag.data) == (304, b"") and by_time.status_code == 304
    part = client.get(url, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, first.data[:10])


@pytest.mark.parametrize("width", WIDTHS)
def test_thumbnails_fit_and_are_made_once(client: FlaskClient, settings: Settings, width: int) -> None:
    answer = client.get(f"{url_of(client, 'large')}&w={width}")
    with Image.open(io.BytesIO(answer.data)) as thumbnail:
        assert thumbnail.size == (width, width * 3 // 4) and thumbnail.format == "WEBP"
    kept = list((settings.home / "thumbnails").rglob("*.webp"))
    assert len(kept) == 1
    made = kept[0].stat().st_mtime_ns
    client.get(f"{url_of(client, 'large')}&w={width}")
    assert kept[0].stat().st_mtime_ns == made


def test_small_pictures_are_not_blown_up(client: FlaskClient, settings: Settings, tmp_path: Path) -> None:
    answer = client.get(url_of(client, "small") + "&w=320")
    assert answer.data == (tmp_path / "pictures" / "small.jpg").read_bytes()
    assert not list((settings.home / "thumbnails").rglob("*.webp"))


def test_what_browsers_do_not_show_is_converted(client: FlaskClient) -> None:
    answer = client.get(url_of(client, "scan"))
    assert answer.mimetype == "image/webp"
    with Image.open(io.BytesIO(answer.data)) as shown:
        assert shown.size == (900, 600)


def test_a_hostile_id_is_an_id(client: FlaskClient) -> None:
    assert client.get(url_of(client, HOSTILE_ID)).mimetype == "image/jpeg"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("item=nope", 404),
        ("item=", 404),
        ("", 404),
        ("item=none", 404),
        ("item=bad", 404),
        ("item=../../etc/passwd", 404),
        ("item=/etc/passwd", 404),
        ("item=small&n=0", 404),
        ("item=small&n=3", 404),
        ("item=small&n=one", 400),
        ("item=small&w=321", 400),
        ("item=small&w=-1", 400),
        ("item=small&w=99999999999999999999", 400),
    ],
)
def test_nothing_else_is_sent(client: FlaskClient, query: str, status: int) -> None:
    answer = client.get(f"/pictures?{query}")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_a_file_that_changed_into_something_else_is_not_sent(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "small.jpg").write_text("<script>window.bad=1</script>")
    (tmp_path / "pictures" / "large.jpg").unlink()
    for item in ("small", "large"):
        for size in ("", "&w=320"):
            assert client.get(url_of(client, item) + size).status_code == 404


@pytest.mark.parametrize("size", ["", "&w=320"])
def test_a_link_that_takes_a_pictures_place_is_not_followed(client: FlaskClient, tmp_path: Path, size: str) -> None:
    (tmp_path / "pictures" / "small.jpg").unlink()
    (tmp_path / "pictures" / "small.jpg").symlink_to(tmp_path / "secret.jpg")
    assert client.get(url_of(client, "small") + size).status_code == 404
    assert client.get(url_of(client, "large") + size).status_code == 200
    (tmp_path / "pictures").rename(tmp_path / "moved")
    (tmp_path / "pictures").symlink_to(tmp_path / "moved")
    assert client.get(url_of(client, "large") + size).status_code == 404


def test_a_picture_searched_by_is_kept_under_an_unguessable_name(client: FlaskClient, tmp_path: Path) -> None:
    content = (tmp_path / "pictures" / "large.jpg").read_bytes()
    answer = client.post("/", data={"image": (io.BytesIO(content), "x.jpg")})
    assert answer.status_code == 303
    name = answer.headers["Location"].split("picture=")[1]
    kept = client.get(f"/uploads/{name}")
    assert kept.mimetype == "image/jpeg" and "private" in kept.headers["Cache-Control"]
    with Image.open(io.BytesIO(kept.data)) as shown:
        assert max(shown.size) == 640
    assert client.get("/uploads/nope").status_code == 404
    assert client.get("/?picture=nope").status_code == 404
