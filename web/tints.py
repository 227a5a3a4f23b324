"""The colour that stands in for a picture until it is there: learned when that is first sent, kept in the home."""

import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from data.errors import BadPicture, TooLarge
from data.picture_process import PictureProcess
from data.pictures import find_colour

_WHITE_FROM = 232  # of 255 in each channel: what is nearly white gets no tint, the page's own ground suits it better
_NONE = "-"


class Tints:
    """Tints ("#a1b2c3") by content hash in memory, and in a file to which each new one is added. Safe to share."""

    def __init__(self, file: Path, max_pixels: int, decoder: PictureProcess) -> None:
        self._file = file
        self._decoder = decoder
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        if file.exists():
            lines = (line.split() for line in file.read_text(encoding="ascii", errors="replace").splitlines())
            self._known = {parts[0]: parts[1] for parts in lines if len(parts) == 2}

    def of(self, content_hash: str) -> str:
        """The tint of a picture, "" where it needs none or was never sent yet."""
        return self._known.get(content_hash, _NONE).removeprefix(_NONE)

    def learn(self, content_hash: str, file: Path | BytesIO) -> None:
        """Finds the tint of a picture that is sent from `file`, the first time."""
        if content_hash in self._known:
            return
        source = file if isinstance(file, Path) else file.getvalue()
        try:
            colour = self._decoder.run(content_hash, find_colour, source, self._max_pixels)
        except (BadPicture, TooLarge):  # the browser may still know what to make of it
            return
        tint = _NONE if min(colour) >= _WHITE_FROM else "#{:02x}{:02x}{:02x}".format(*colour)
        with self._lock:
            self._known[content_hash] = tint
            with suppress(OSError):  # on a full disk it is known until the server ends
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("a", encoding="ascii") as kept:
                    kept.write(f"{content_hash} {tint}\n")
