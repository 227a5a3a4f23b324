"""Pictures that people search by stay in memory for a while, so that an address can refer to one."""

import secrets
import threading
import time
from collections import OrderedDict

from data.errors import NotFound
from data.pictures import encode_thumbnail, open_picture

KEEP_S = 3600
MAX_KEPT = 200
SIDE = 640  # pixels; encoders look at less


class UploadShelf:
    """Re-encoded copies by an unguessable name: at most 200, for an hour, never on disk."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, content: bytes) -> str:
        """The name under which a JPEG copy of this picture is kept. Raises BadPicture or TooLarge."""
        copy = encode_thumbnail(open_picture(content, self._max_pixels, (SIDE, SIDE)), SIDE)
        name = secrets.token_urlsafe(12)
        now = time.monotonic()
        with self._lock:
            self._kept[name] = (now, copy)
            while len(self._kept) > MAX_KEPT or next(iter(self._kept.values()))[0] < now - KEEP_S:
                self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> bytes:
        """The JPEG bytes. Raises NotFound for an unknown or forgotten name."""
        with self._lock:
            since, content = self._kept.get(name, (0.0, b""))
        if not content or since < time.monotonic() - KEEP_S:
            raise NotFound(
                "The picture of this search is no longer kept (pictures are forgotten after an hour); choose it again"
            )
        return content
