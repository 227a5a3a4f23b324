"""Decodes every picture, of feeds and of uploads, and defends against hostile files."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image, ImageOps, UnidentifiedImageError, features

from magpie.data.errors import BadPicture, TooLarge

# a phone's MPO (several JPEGs in one file) comes under JPEG
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", *(["AVIF"] if features.check("avif") else []))
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"})
# Pillow's own limit would refuse the large JPEGs that are decoded reduced; every picture passes `_check_size` instead
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata of a picture is no news for its owner

MAX_SIDE = 65_500  # of any picture; no format that we take holds a sensible one beyond
# a JPEG of any size is decoded at 1/8, 1/4 or 1/2 of its size: these pixels are what may reach memory
DEFAULT_WANT = (512, 512)


def open_picture(source: Path | bytes, max_pixels: int, want: tuple[int, int] | None = None) -> Image.Image:
    """The picture as RGB, upright, on white, its first frame only; JPEGs are decoded at reduced size towards `want`.

    `want` is (width, height) in pixels: the result is at least that large where the picture is. It never has more than
    `max_pixels`. A file (Path) may hold a larger JPEG if that can be decoded reduced; bytes (an upload) may not. Of a
    video, the poster is returned. Raises BadPicture or TooLarge, naming the file and the reason.
    """
    if isinstance(source, Path) and is_video(source):
        from magpie.data.pictures.videos import open_poster  # brings ffmpeg, which few catalogues need

        return open_poster(source, max_pixels)
    name = _name_of(source)
    with _guarded(name), Image.open(_stream(source), formats=FORMATS) as image:
        _check_size(image, name, max_pixels, reducible=isinstance(source, Path))
        _reduce(image, max_pixels, want)
        if image.width * image.height > max_pixels:
            raise TooLarge(f"{name}: {image.size} pixels, at most {max_pixels:,} in all are taken; shrink it")
        image.seek(0)
        image.load()
        return _to_rgb(_upright(image))


def is_video(path: Path) -> bool:
    """Whether the file is a video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def open_views(path: Path, max_pixels: int, want: tuple[int, int]) -> list[Image.Image]:
    """The picture, or one frame for each scene of a video; otherwise as `open_picture`."""
    if is_video(path):
        from magpie.data.pictures.videos import open_frames  # brings ffmpeg, which few catalogues need

        return open_frames(path, max_pixels)
    return [open_picture(path, max_pixels, want)]


def verify_picture(
    data: bytes, name: str, max_pixels: int, decode: Callable[[bytes, str, int], None]
) -> tuple[int, int]:
    """(width, height) of a picture that is whole. Raises BadPicture for one that is truncated, TooLarge as above.

    `decode` (`decode_coarsely`, in a process of its own) decodes all of it, only where its last bytes do not prove it
    whole: that is cheap enough for every picture of a feed.
    """
    with _guarded(name), Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(image, name, max_pixels, reducible=True)
        size, kind = image.size, image.format
    if not _ends_well(data, kind or ""):
        decode(data, name, max_pixels)
    return size


def decode_coarsely(data: bytes, name: str, max_pixels: int) -> None:
    """Decodes all of the picture, as small as its format allows. Raises BadPicture, TooLarge."""
    with _guarded(name), Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(image, name, max_pixels, reducible=True)
        _reduce(image, max_pixels, (64, 64))
        image.load()


def encode_thumbnail(image: Image.Image, size: int, kind: Literal["JPEG", "WEBP"] = "JPEG") -> bytes:
    """The RGB picture, shrunk to fit into size x size pixels and never enlarged, as the bytes of a file."""
    small = image.copy()
    small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = BytesIO()
    if kind == "WEBP":
        small.save(out, "WEBP", quality=80, method=2)
    else:
        small.save(out, "JPEG", quality=82, optimize=True, progressive=True)
    return out.getvalue()


def check_picture(content: bytes, max_pixels: int) -> None:
    """Decodes all of the picture. Raises as `open_picture`."""
    open_picture(content, max_pixels, (256, 256)).close()


def copy_upload(content: bytes, max_pixels: int, side: int) -> tuple[bytes, int, int]:
    """A JPEG of the picture that fits into side x side pixels, its width and its height. Raises as `open_picture`."""
    image = open_picture(content, max_pixels, (side, side))
    image.thumbnail((side, side))
    return encode_thumbnail(image, side), image.width, image.height


def cut_upload(content: bytes, max_pixels: int, side: int, box: tuple[int, int, int, int]) -> bytes:
    """A JPEG of a part of the picture: left, top, right and bottom in pixels. Raises as `open_picture`."""
    return encode_thumbnail(open_picture(content, max_pixels).crop(box), side)


def make_thumbnail(path: Path, max_pixels: int, side: int) -> bytes:
    """The picture, fitted into side x side pixels, as the bytes of a WebP file. Raises as `open_picture`."""
    return encode_thumbnail(open_picture(path, max_pixels, (side, side)), side, "WEBP")


def _name_of(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else "the picture"


def _stream(source: Path | bytes) -> Path | BytesIO:
    return source if isinstance(source, Path) else BytesIO(source)


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Raises errors of Pillow and its decoders as BadPicture or TooLarge."""
    try:
        yield
    except (BadPicture, TooLarge):
        raise
    except UnidentifiedImageError as error:
        raise BadPicture(f"{name}: is not a picture of a format taken here ({', '.join(FORMATS)})") from error
    except FileNotFoundError as error:
        raise BadPicture(f"{name}: is not there") from error
    except MemoryError as error:
        raise TooLarge(f"{name}: does not fit into memory; shrink it") from error
    except Exception as error:  # decoders raise nearly anything: SyntaxError, struct.error, EOFError, zlib.error, …
        raise BadPicture(f"{name}: cannot be decoded ({error})") from error


def _check_size(image: Image.Image, name: str, max_pixels: int, reducible: bool) -> None:
    width, height = image.size
    if min(width, height) < 1 or max(width, height) > MAX_SIDE:
        raise BadPicture(f"{name}: says that it has {width} x {height} pixels")
    if width * height > max_pixels and not (reducible and image.format in ("JPEG", "MPO")):
        raise TooLarge(f"{name}: {width} x {height} pixels, at most {max_pixels:,} are taken; shrink it")


def _reduce(image: Image.Image, max_pixels: int, want: tuple[int, int] | None) -> None:
    """Lets the JPEG decoder reduce the picture towards `want`, down to 1/8 of each side."""
    if image.format not in ("JPEG", "MPO"):
        return
    too_large = image.width * image.height > max_pixels
    if want is None and not too_large:
        return
    width, height = want or DEFAULT_WANT
    if _turns(image):
        width, height = height, width
    image.draft(None, (width, height))


def _turns(image: Image.Image) -> bool:
    """Whether EXIF orientation swaps width and height."""
    return image.getexif().get(0x0112) in (5, 6, 7, 8)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a picture with broken EXIF is still a picture
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    # a copy, so that the result lives on when its file is closed
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def _to_8_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 or 32 bits scaled to 8 bits; Pillow's own conversion clips values above 255."""
    grey = image.convert("F")
    low, high = (float(bound) for bound in grey.getextrema() if not isinstance(bound, tuple))
    if image.mode.startswith("I") and low >= 0 and high <= 65_535:
        low, high = 0.0, 65_535.0
    scale = 255.0 / ((high - low) or 1.0)
    return grey.point(lambda value: value * scale - low * scale).convert("L")


def _ends_well(data: bytes, kind: str) -> bool:
    """Whether the file's end is that of a whole picture; False where only decoding can tell."""
    if kind == "JPEG":
        # coded data never holds the end marker, so one after the last start of scan closes the picture
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0
    if kind == "PNG":
        return b"IEND" in data[-64:]
    if kind == "GIF":
        return data[-64:].rstrip(b"\0").endswith(b";")
    if kind == "WEBP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return False
