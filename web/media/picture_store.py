"""Pictures of items over HTTP: originals as they are, thumbnails made once and kept in the home."""

import logging
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.items import Picture
from magpie.data.errors import BadInput, BadPicture, NotFound
from magpie.data.home.atomic_files import write_whole
from magpie.data.pictures.decode import make_thumbnail
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.settings import Settings
from magpie.web.addresses import HASH_CHARS

log = logging.getLogger(__name__)

WIDTHS = (160, 320, 640, 960)
SMALL_BYTES = 60_000
_MOST_KNOWN = 4_000  # items

# formats that browsers show, by first bytes; others are converted
_SIGNATURES = (
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
)


@dataclass(frozen=True)
class ServedPicture:
    """A file to send, or its bytes if it could not be stored. `version` changes when the picture does."""

    file: Path | BytesIO
    mimetype: str
    version: str


class PictureStore:
    """Finds the catalogue's pictures and makes thumbnails of them.

    Only files that the catalogue lists as readable pictures are ever opened, and a file is sent as it is only
    when its first bytes are those of a picture.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, decoder: PictureSandbox) -> None:
        self._catalogue = catalogue
        self._decoder = decoder
        self._folder = settings.home / "thumbnails"
        self._max_pixels = settings.max_picture_pixels
        self._known: tuple[int, dict[str, list[Picture]]] = (-1, {})  # the catalogue's revision, and pictures by item

    def find(self, item_id: str, number: int, width: int | None) -> ServedPicture:
        """The item's `number`-th good picture (from 1), fitted into a square of `width` pixels where given.

        Raises ItemNotFound, NotFound without such a picture or when its file cannot be read any more, BadInput for
        a width that is not offered.
        """
        if width is not None and width not in WIDTHS:
            raise BadInput(f"w: {width} is not offered; use one of {', '.join(map(str, WIDTHS))}, or leave it out")
        good = self._good_pictures(item_id)
        if not 1 <= number <= len(good):
            raise NotFound(f"n: item {item_id!r} has {len(good)} readable pictures, not a picture {number}")
        picture = good[number - 1]
        mimetype = _mimetype(picture.path)
        if mimetype and (width is None or _is_small(picture, width)):
            return ServedPicture(picture.path, mimetype, picture.content_hash[:HASH_CHARS])
        return self._thumbnail(picture, width or max(WIDTHS))

    def _good_pictures(self, item_id: str) -> list[Picture]:
        """The item's readable pictures, cached until the catalogue changes: a page asks for two dozen at once."""
        revision = self._catalogue.revision()
        if self._known[0] != revision or len(self._known[1]) >= _MOST_KNOWN:
            self._known = revision, {}
        pictures = self._known[1]  # another thread may put a newer state in its place meanwhile
        if item_id not in pictures:
            pictures[item_id] = [one for one in self._catalogue.get(item_id).pictures if one.status == "ok"]
        return pictures[item_id]

    def _thumbnail(self, picture: Picture, width: int) -> ServedPicture:
        version = f"{picture.content_hash[:HASH_CHARS]}-{width}"
        path = self._folder / version[:2] / f"{picture.content_hash}-{width}.webp"
        if not path.exists():
            try:
                content = self._decoder.run(str(picture.path), make_thumbnail, picture.path, self._max_pixels, width)
            except BadPicture as error:
                raise NotFound(
                    f"{picture.path.name}: is no readable picture any more; import the feed again"
                ) from error
            try:
                write_whole(path, content)
            except OSError as error:  # with a full disk thumbnails are made again each time
                log.warning("%s: the thumbnail is not kept (%s)", path, error.strerror)
                return ServedPicture(BytesIO(content), "image/webp", version)
        return ServedPicture(path, "image/webp", version)


def _mimetype(path: Path) -> str:
    """The type by the file's first bytes; "" when browsers do not show it. Raises NotFound when the file is gone.

    The catalogue keeps paths without symbolic links; one that has a link now leads somewhere that nobody imported.
    """
    try:
        if path.resolve() != path:
            raise NotFound(f"{path.name}: a symbolic link has taken the picture's place; import the feed again")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise NotFound(f"{path.name}: the picture's file is gone; import the feed again") from error
    for signature, at, mimetype in _SIGNATURES:
        if head[at : at + len(signature)] == signature:
            return mimetype
    return ""


def _is_small(picture: Picture, width: int) -> bool:
    return picture.width <= 2 * width and picture.path.stat().st_size <= SMALL_BYTES
