"""Named errors, with the remedy, for a full, read-only or failing disk, from what system and libraries raise."""

import errno
import sqlite3

from magpie.data.errors import DatabaseBusy, DiskFault, HomeReadOnly, MagpieError, NotEnoughDisk

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
# messages of libraries that write files themselves (FAISS, tantivy) and raise no OSError
_FULL_MESSAGES = ("No space left on device", "Disk quota exceeded", "File too large", "disk is full")


def sqlite_fault(error: BaseException | None, place: str) -> MagpieError | None:
    """The named error for what SQLite raised about the file at `place`, None where it is no fault of disk or lock."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DatabaseBusy(f"{place}: another process is writing; try again in a moment")
    if name.startswith("SQLITE_FULL"):
        return NotEnoughDisk(f"{place}: the disk is full; free some space and repeat")
    if name.startswith("SQLITE_READONLY"):
        return HomeReadOnly(f"{place}: is read-only; make the home writable")
    if name.startswith("SQLITE_IOERR"):
        return DiskFault(f"{place}: the disk fails ({error}); see whether it is full, or damaged")
    return None


def disk_fault(error: BaseException) -> MagpieError | None:
    """The named error for an exception that a full or read-only disk caused, directly or further down; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            return sqlite_fault(cause, "the home")
        if _says_full(cause):
            return NotEnoughDisk(f"{_place(cause)}: the disk is full; free some space and repeat ({cause})")
        if isinstance(cause, OSError) and cause.errno in _READ_ONLY:
            return HomeReadOnly(f"{_place(cause)}: cannot be written ({cause.strerror}); make the home writable")
        cause = cause.__cause__ or cause.__context__
    return None


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return isinstance(error, (OSError, RuntimeError, ValueError)) and any(one in str(error) for one in _FULL_MESSAGES)


def _place(error: BaseException) -> str:
    return str(getattr(error, "filename", None) or "the home")
