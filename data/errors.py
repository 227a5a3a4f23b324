"""Named errors for what people send and what can fail, each with the HTTP status that the web edge answers.

Below the edges these are raised; the command line prints their message and ends with status 1,
the HTTP edge turns them into problem details (RFC 9457). A message names the culprit and the remedy.
"""

from typing import ClassVar


class MagpieError(Exception):
    """A fault that a person can do something about; `retry_after_s` where trying again soon may be all it takes."""

    status: ClassVar[int] = 500
    retry_after_s: ClassVar[int | None] = None


class BadInput(MagpieError):  # noqa: N818
    """The input is not valid."""

    status = 400


class BadQuery(BadInput):
    """A search that cannot be answered: empty, too long, or with unknown options."""


class BadFilter(BadInput):
    """A filter on an unknown attribute, or with an operator that does not exist."""


class NotTogether(BadQuery):
    """The parts of the input are valid, but contradict each other."""

    status = 422


class UnknownField(BadFilter):
    """A filter or a sort by a field that no item has, or has with another kind."""

    status = 422


class BadFeed(BadInput):
    """A catalogue file that cannot be read at all (single bad rows are rejected instead)."""


class BadEvent(BadInput):
    """A behaviour event or logged query that lacks a field or holds a wrong value."""


class BadItem(BadInput):
    """An item that cannot be stored: no id, an id too long, text that no database takes."""


class BadSetting(BadInput):
    """A setting, option or folder that cannot be used."""


class NoRange(BadFilter):
    """A range whose ends are not of the type that its field holds."""

    status = 422


class BadPicture(BadInput):
    """A picture that cannot be decoded: not a picture, of a format not taken, truncated."""

    status = 415


class NotFetched(BadInput):
    """A picture's URL that may not be requested, or that gave no picture."""

    status = 422

    def __init__(self, reason: str, is_of_the_host: bool = False) -> None:
        super().__init__(reason)
        self.is_of_the_host = is_of_the_host  # and so to be expected of its other addresses


class TooLarge(BadInput):
    """More bytes or pixels than allowed."""

    status = 413


class NotFound(MagpieError):  # noqa: N818
    """The requested resource does not exist."""

    status = 404


class ItemNotFound(NotFound):
    """No item of this id is in the catalogue."""


class ItemNotIndexed(ItemNotFound):
    """The item is in the catalogue, and nothing can be compared with it: it is new, or has no words and no picture."""


class PictureForgotten(NotFound):
    """The picture that a search names is no longer kept."""


class Conflict(MagpieError):  # noqa: N818
    """The request contradicts the current state."""

    status = 409


class HomeLocked(Conflict):
    """Another process is doing work on this home that only one may do at a time."""


class DatabaseTooNew(Conflict):
    """The database was written by a newer Magpie."""


class PreconditionFailed(Conflict):
    """The item's version is not the one that the writer expected."""

    status = 412


class ModelMismatch(Conflict):
    """Vectors of one encoder were to be used with another."""


class GoldenQueriesFailed(Conflict):
    """A new index answers the owner's golden queries worse than the one being served."""


class Unavailable(MagpieError):  # noqa: N818
    """A part that the request needs is not available yet or not now."""

    status = 503


class NoIndex(Unavailable):
    """Nothing has been indexed yet."""


class GenerationBroken(Unavailable):
    """A published index does not match its manifest."""


class BackupBroken(Unavailable):
    """A file is not a whole backup, or what is to be backed up is damaged."""


class RankerBroken(Unavailable):
    """A learned ranker cannot be read, or was trained for another index."""


class ModelUnavailable(Unavailable):
    """An encoder cannot be loaded: unknown, or not to be had without a network."""


class DecodingFailed(Unavailable):
    """The worker processes that decode pictures cannot run."""


class DecoderBusy(Unavailable):
    """Decoding other pictures takes longer than a request may wait."""

    retry_after_s = 1


class DatabaseBusy(Unavailable):
    """Another process writes to the database for longer than a request may wait; nothing was written."""

    retry_after_s = 2


class DatabaseUnreachable(Unavailable):
    """The database's server does not answer, or has ended the connection: what was being written may or may not be."""

    retry_after_s = 2


class NotEnoughDisk(Unavailable):
    """The disk has too little space for a write."""


class LogFull(Unavailable):
    """The log has grown as large as the owner lets it."""


class HomeReadOnly(Unavailable):
    """The home cannot be written; reading still works."""


class HomeMoved(Unavailable):
    """The home is not where it was opened any more, so that nothing that is written would be found."""


class DiskFault(Unavailable):
    """Reading or writing failed because of the disk."""


def first_line(error: Exception) -> str:
    """The type of an error and the first line of its message, at most 200 characters of it."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"


def brief(value: object) -> str:
    """The value, shortened for an error message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
