"""Measures how much of a feed has been read, for progress bars."""

from collections.abc import Callable


class FeedPosition:
    """Done and total, in bytes or files of the feed; both 0 before reading begins."""

    def __init__(self) -> None:
        self.total = 0
        self._tell: Callable[[], int] = lambda: 0
        self._last = 0

    def follow(self, total: int, tell: Callable[[], int]) -> None:
        """Sets the total, and the function that returns the amount read so far."""
        self.total, self._tell = total, tell

    @property
    def done(self) -> int:
        """The amount read so far, in bytes or files."""
        try:
            self._last = self._tell()
        except ValueError:  # the file has been closed: the end was reached
            self._last = self.total
        return self._last
