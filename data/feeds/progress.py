"""How far a feed has been read, for progress bars."""

from collections.abc import Callable


class FeedPosition:
    """Done and total, in bytes or files of the feed; both 0 before reading begins."""

    def __init__(self) -> None:
        self.total = 0
        self._tell: Callable[[], int] = lambda: 0
        self._last = 0

    def follow(self, total: int, tell: Callable[[], int]) -> None:
        """From now on, `tell` says what is done."""
        self.total, self._tell = total, tell

    @property
    def done(self) -> int:
        """What has been read so far."""
        try:
            self._last = self._tell()
        except ValueError:  # the file has been closed: the end was reached
            self._last = self.total
        return self._last
