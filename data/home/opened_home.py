"""Tells whether a home is still the folder that was opened, or was moved, replaced or unmounted since."""

from collections.abc import Sequence
from pathlib import Path

from magpie.data.errors import HomeMoved


class OpenedHome:
    """The home's folder and its database file, known by device and inode as they were when this was made.

    Open files go on being written wherever they are moved, and even when they are deleted, so that writing alone shows
    no fault. Safe to share among threads.
    """

    def __init__(self, home: Path, database_file: Path | None = None) -> None:
        """Raises OSError where there is no such folder or file; `database_file` is None for a database elsewhere."""
        paths = [home.absolute(), *([database_file.absolute()] if database_file else [])]
        self._opened = {path: _identity(path) for path in paths}

    def check(self) -> None:
        """Raises HomeMoved where a path now leads to something else, or to nothing."""
        for path, opened in self._opened.items():
            try:
                is_same = _identity(path) == opened
            except OSError:
                is_same = False
            if not is_same:
                raise HomeMoved(
                    f"{path}: is no longer what was opened here (it was moved, replaced, deleted or unmounted), so "
                    "nothing is stored and no change becomes searchable; put it back, or restart with the right --home"
                )

    @property
    def alarms(self) -> Sequence[str]:
        """Why nothing is stored; empty while all is in its place."""
        try:
            self.check()
        except HomeMoved as error:
            return [str(error)]
        return []


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
