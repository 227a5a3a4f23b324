"""Keeps the pictures that people search with in memory, so that an address can name one, or a part of it."""

import secrets

from magpie.data.errors import PictureForgotten
from magpie.data.pictures.decode import copy_upload, cut_upload
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.web.shared.uploads import NAME_BYTES, Upload, UploadMemory

SIDE = 640  # pixels; encoders look at less

Crop = tuple[int, int, int, int]  # left, top, right, bottom in percent of the sides


class UploadStore:
    """Re-encoded copies by an unguessable name: at most 200, for an hour, never on disk."""

    def __init__(self, max_pixels: int, decoder: PictureSandbox, memory: UploadMemory) -> None:
        self._max_pixels = max_pixels
        self._decoder = decoder
        self._memory = memory

    def put(self, content: bytes) -> str:
        """The name under which a JPEG copy of this picture is kept. Raises BadPicture, TooLarge, DecoderBusy."""
        copy = Upload(*self._decoder.run("the picture", copy_upload, content, self._max_pixels, SIDE))
        name = secrets.token_urlsafe(NAME_BYTES * 3 // 4)
        self._memory.put(name, copy)
        return name

    def get(self, name: str) -> Upload:
        """The kept picture. Raises PictureForgotten for one that is not."""
        upload = self._memory.get(name)
        if upload is None:
            raise PictureForgotten(
                "The picture of this search is no longer kept (for an hour at most, and not over a restart of the "
                "server); choose it again"
            )
        return upload

    def part(self, name: str, crop: Crop | None) -> bytes:
        """The JPEG bytes of a part of the picture, of all of it for None. Raises PictureForgotten, DecoderBusy."""
        upload = self.get(name)
        if crop is None:
            return upload.content
        left, top, right, bottom = crop
        box = (
            *(left * upload.width // 100, top * upload.height // 100),
            *(-(-right * upload.width // 100), -(-bottom * upload.height // 100)),
        )
        return self._decoder.run("the picture", cut_upload, upload.content, self._max_pixels, SIDE, box)
