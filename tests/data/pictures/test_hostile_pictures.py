"""Pictures made to do harm: each is refused with a message, or becomes a plain picture; nothing else is decoded."""

import io
import shutil
import struct
import zlib
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from magpie.data.errors import BadPicture, TooLarge
from magpie.data.pictures.decode import encode_thumbnail, open_picture
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of

# the product ignores what Pillow says of odd metadata
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")
PIXELS = 1_000_000


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, pixels: bytes = b"") -> bytes:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def many_frames(count: int) -> bytes:
    frames = [Image.effect_noise((24, 24), 80) for _ in range(count)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0, duration=1)


def with_text(size: int) -> bytes:
    about = PngImagePlugin.PngInfo()
    about.add_text("note", "a" * size, zip=True)
    return encoded(Image.new("RGB", (8, 8)), "PNG", pnginfo=about)


def tiff_that_never_ends() -> bytes:
    """A TIFF whose second directory is its first."""
    data = bytearray(encoded(Image.new("L", (8, 8)), "TIFF"))
    first = struct.unpack("<I", data[4:8])[0]
    entries = struct.unpack("<H", data[first : first + 2])[0]
    data[first + 2 + 12 * entries :][:4] = struct.pack("<I", first)
    return bytes(data)


ITEM = {"title": "Thing"}
PICTURE = Image.effect_noise((60, 40), 80)
EXIF = Image.Exif()
EXIF[0x010E] = "x" * 65_000
TAKEN = {
    "64 kB of EXIF": encoded(PICTURE, "JPEG", exif=EXIF.tobytes()),
    "CMYK": encoded(Image.new("CMYK", (60, 40), (10, 20, 30, 40)), "JPEG"),
    "16 bits": encoded(Image.new("I;16", (60, 40), 40_000), "PNG"),
    "32 bits": encoded(Image.new("F", (60, 40), 0.5), "TIFF"),
    "1 bit": encoded(Image.new("1", (60, 40), 1), "BMP"),
    "a page behind its end": encoded(PICTURE, "JPEG") + b"<html><script>alert(1)</script>",
    "an archive behind its end": encoded(PICTURE, "PNG") + b"PK\x03\x04" + b"\0" * 100,
    "script in its comment": encoded(PICTURE, "JPEG", comment=b"<script>alert(1)</script>"),
    "hundreds of frames": many_frames(300),
    "an animation that stops in the middle": many_frames(50)[:-200],
    "broken EXIF": encoded(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "directories in a circle": tiff_that_never_ends(),
}
REFUSED = {
    "a bomb": encoded(Image.new("1", (20_000, 20_000)), "PNG"),
    "a bomb of GIF": b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
    "false size": png(2**31 - 1, 1),
    "no width": png(0, 5),
    "fewer pixels than it says": png(500, 500, pixels=zlib.compress(b"\0" * 100)),
    "a bomb in its pixels": png(4, 4, pixels=zlib.compress(b"\0" * 3)),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(/etc/passwd) run\n",
    "PDF": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n",
    "ICO": encoded(Image.new("RGB", (16, 16)), "ICO"),
    "TGA": encoded(Image.new("RGB", (16, 16)), "TGA"),
    "PCX": encoded(Image.new("RGB", (16, 16)), "PCX"),
    "PPM": encoded(Image.new("RGB", (16, 16)), "PPM"),
    "a playlist": b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/latest/meta-data\n",
}


@pytest.mark.parametrize("name", TAKEN)
def test_an_odd_picture_is_a_plain_picture(name: str) -> None:
    for want in (None, (16, 16)):
        assert open_picture(TAKEN[name], PIXELS, want).mode == "RGB"


def test_a_copy_tells_nothing_but_what_is_seen() -> None:
    copy = Image.open(io.BytesIO(encode_thumbnail(open_picture(TAKEN["64 kB of EXIF"], PIXELS), 64)))
    assert not copy.getexif() and "comment" not in copy.info


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_picture_is_refused(name: str) -> None:
    with pytest.raises((BadPicture, TooLarge)):
        open_picture(REFUSED[name], PIXELS)


def test_text_that_unpacks_to_much_is_not_unpacked() -> None:
    with pytest.raises(BadPicture):
        open_picture(with_text(20_000_000), PIXELS)
    assert open_picture(with_text(1000), PIXELS).size == (8, 8)


@pytest.fixture(scope="module")
def client(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    home = tmp_path_factory.mktemp("hostile") / "home"
    shutil.copytree(shop.home, home)
    app = create_app(shop.model_copy(update={"home": home, "max_picture_pixels": PIXELS}))
    yield client_of(app)
    app.extensions["magpie"].close()


PARTS = st.sampled_from([*TAKEN.values(), *(content for content in REFUSED.values() if len(content) < 10_000)])


@given(start=PARTS, end=PARTS, cut=st.integers(0, 500), noise=st.binary(max_size=40), name=st.text(min_size=1))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_uploaded_is_answered(
    client: FlaskClient, start: bytes, end: bytes, cut: int, noise: bytes, name: str
) -> None:
    """Halves of good and bad pictures, joined by noise, under any name: a search, a form of the page, an item."""
    content = start[: len(start) - cut] + noise + end[cut:]
    name = name.encode("utf-8", "replace").decode()
    for method, address, more in (("POST", "/api/search", {}), ("POST", "/", {}), ("PUT", "/api/items/x", ITEM)):
        answer = client.open(address, method=method, data={"image": (io.BytesIO(content), name), **more})
        assert answer.status_code in (200, 201, 303, 400, 413, 415)


@pytest.mark.parametrize("name", [*TAKEN, *REFUSED])
def test_over_http_each_is_answered(client: FlaskClient, name: str) -> None:
    content = TAKEN.get(name) or REFUSED[name]
    for address in ("/api/search", "/results"):
        answer = client.post(address, data={"image": (io.BytesIO(content), "../../etc/passwd\0.jpg")})
        assert answer.status_code == (200 if name in TAKEN else answer.status_code) < 500
        assert name in TAKEN or answer.status_code in (413, 415)
