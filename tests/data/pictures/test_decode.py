"""Pictures: every odd kind comes out as upright RGB on white, every bad one as a clear error, a huge one cheaply."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from magpie.data.errors import BadPicture, TooLarge
from magpie.data.pictures.decode import decode_coarsely, encode_thumbnail, open_picture, verify_picture

PIXELS = 50_000_000


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(size: tuple[int, int] = (120, 80)) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_named_formats_are_read(kind: str) -> None:
    data = encoded(Image.new("RGB", (32, 24), (200, 30, 40)), kind)
    image = open_picture(data, PIXELS)
    assert (image.mode, image.size) == ("RGB", (32, 24))
    assert np.allclose(np.asarray(image), (200, 30, 40), atol=6)
    assert verify_picture(data, "it", PIXELS, decode_coarsely) == (32, 24)


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX"])
def test_other_formats_are_not(kind: str) -> None:
    with pytest.raises(BadPicture, match="format"):
        open_picture(encoded(Image.new("RGB", (32, 32)), kind), PIXELS)


def test_transparency_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 4, 8))
    pixels = np.asarray(open_picture(encoded(clear, "PNG"), PIXELS))
    assert pixels[0, 0].tolist() == [0, 0, 255] and pixels[0, 7].tolist() == [255, 255, 255]


def test_a_palette_with_transparency_is_laid_on_white() -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    palette.putpixel((0, 0), 0)
    pixels = np.asarray(open_picture(encoded(palette, "PNG", transparency=0), PIXELS))
    assert pixels[0, 0].tolist() == [255, 255, 255] and pixels[3, 3].tolist() == [10, 200, 30]


def test_cmyk_and_grey_become_rgb() -> None:
    assert open_picture(encoded(Image.new("CMYK", (9, 9), (0, 0, 0, 0)), "JPEG"), PIXELS).getpixel((4, 4)) == (255,) * 3
    assert open_picture(encoded(Image.new("L", (9, 9), 77), "PNG"), PIXELS).getpixel((4, 4)) == (77,) * 3
    assert open_picture(encoded(Image.new("1", (9, 9), 1), "PNG"), PIXELS).getpixel((4, 4)) == (255,) * 3


def test_16_bits_are_scaled_and_not_clipped() -> None:
    grey = Image.fromarray(np.full((9, 9), 0x8000, dtype=np.uint16))
    assert open_picture(encoded(grey, "PNG"), PIXELS).getpixel((4, 4)) == (127,) * 3  # 32768 / 65535 * 255 = 127.5


def test_exif_turns_it_upright() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((255, 0, 0), (0, 0, 20, 20))  # red on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to see it upright
    turned = open_picture(encoded(image, "JPEG", exif=exif, quality=95), PIXELS)
    assert turned.size == (20, 40)
    assert turned.getpixel((10, 4))[1] < 60 and turned.getpixel((10, 36))[1] > 200  # red on top


def test_reduced_decoding_knows_that_it_will_turn() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("RGB", (4000, 1000)), "JPEG", exif=exif)
    # wanted 500 wide and 500 high, upright it is 1000 x 4000: half of each side is enough
    assert open_picture(data, PIXELS, want=(500, 500)).size == (500, 2000)


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_picture(data, PIXELS).getpixel((8, 8)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    whole = encoded(noise(), kind)
    for share in (0.5, 0.9):
        cut = whole[: int(len(whole) * share)]
        with pytest.raises(BadPicture):
            open_picture(cut, PIXELS)
        with pytest.raises(BadPicture):
            verify_picture(cut, "it", PIXELS, decode_coarsely)


def test_what_follows_the_end_of_a_picture_does_no_harm() -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        assert verify_picture(encoded(noise(), kind) + b"\xff\xda trailing " * 20, "it", PIXELS, decode_coarsely) == (
            120,
            80,
        )


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"<svg/>", b"GIF89a"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadPicture, match="the picture"):
        open_picture(data, PIXELS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match=r"gone\.jpg: is not there"):
        open_picture(tmp_path / "gone.jpg", PIXELS)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge, match="20000 x 20000 pixels"):
        open_picture(bomb, PIXELS)


def test_an_upload_may_not_be_larger_than_allowed_but_a_file_may(tmp_path: Path) -> None:
    data = encoded(Image.new("RGB", (600, 600)), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(TooLarge, match="600 x 600 pixels, at most 100,000"):
        open_picture(data, 100_000, want=(64, 64))
    assert open_picture(tmp_path / "a.jpg", 100_000, want=(64, 64)).size == (75, 75)  # 600 / 8
    with pytest.raises(TooLarge):
        open_picture(tmp_path / "a.jpg", 100_000, want=(600, 600))


def test_93_megapixels_cost_little_memory(tmp_path: Path) -> None:
    """The process's peak grows by less than 150 MB, where the whole picture would take 281 MB."""
    Image.new("L", (11_042, 8_484), 120).save(tmp_path / "large.jpg")
    code = (
        "import resource, sys; from pathlib import Path; from magpie.data.pictures.decode import open_picture\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); image = open_picture(Path(sys.argv[1]), 50_000_000, (512, 512))\n"
        "print(peak() - before, *image.size)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "large.jpg"], capture_output=True, check=True)
    grown_kb, width, height = map(int, done.stdout.split())
    assert grown_kb < 150_000 and (width, height) == (1381, 1061)


@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8))
def test_damaged_bytes_are_a_picture_or_a_clear_error(cut: int, flips: list[tuple[int, int]]) -> None:
    data = bytearray(DAMAGED[cut % len(DAMAGED)])
    for place, value in flips:
        data[place % len(data)] = value
    try:
        assert open_picture(bytes(data[: len(data) - cut]), 1_000_000).mode == "RGB"
    except (BadPicture, TooLarge) as error:
        assert "the picture" in str(error)


DAMAGED = [encoded(noise((24, 24)), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_thumbnail_fits_and_is_never_enlarged(kind: str) -> None:
    for size, expected in (((400, 200), (100, 50)), ((40, 20), (40, 20))):
        thumbnail = Image.open(io.BytesIO(encode_thumbnail(Image.new("RGB", size), 100, kind)))  # type: ignore[arg-type]
        assert (thumbnail.size, thumbnail.format) == (expected, kind)
