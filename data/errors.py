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
    """What was sent cannot be used as it is."""

    status = 400


class BadQuery(BadInput):
    """A search that cannot be answered: empty, too long, or with unknown options."""


class BadFilter(BadInput):
    """A filter on an unknown attribute, or with an operator that does not exist."""


class NotTogether(BadQuery):
    """What was sent is right in each of its parts, and cannot be taken together."""

    status = 422


class UnknownField(BadFilter):
    """A filter or an order by a field that no item of this catalogue has, or not of this kind."""

    status = 422


class BadFeed(BadInput):
    """A catalogue file that cannot be read at all (single bad rows are rejected instead)."""


class BadEvent(BadInput):
    """A behaviour event or logged query that lacks a field or holds a wrong value."""


class BadItem(BadInput):
    """An item that cannot be stored: no id, an id too long, text that no database takes."""


class BadSetting(BadInput):
    """A setting, option or folder that cannot be used."""


class BadPicture(BadInput):
    """A picture that cannot be decoded: not a picture, of a format not taken, truncated."""

    status = 415


class NotFetched(BadInput):
    """A picture's address that is not asked, or that gave no picture."""

    status = 422

    def __init__(self, reason: str, is_of_the_host: bool = False) -> None:
        super().__init__(reason)
        self.is_of_the_host = is_of_the_host  # and so to be expected of its other addresses


class TooLarge(BadInput):
    """More bytes or pixels than allowed."""

    status = 413


class NotFound(MagpieError):  # noqa: N818
    """What was asked for is not there."""

    status = 404


class ItemNotFound(NotFound):
    """No item of this id is in the catalogue."""


class ItemNotIndexed(ItemNotFound):
    """The item is in the catalogue, and nothing can be compared with it: it is new, or has no words and no picture."""


class PictureForgotten(NotFound):
    """The picture that a search names is no longer kept."""


class Conflict(MagpieError):  # noqa: N818
    """What is there already stands in the way."""

    status = 409


class HomeLocked(Conflict):
    """Another process is doing work on this home that only one may do at a time."""


class DatabaseTooNew(Conflict):
    """The database was written by a newer Magpie."""


class PreconditionFailed(Conflict):
    """The item is no longer what the writer took it for."""

    status = 412


class ModelMismatch(Conflict):
    """Vectors of one encoder were to be used with another."""


class GoldenQueriesFailed(Conflict):
    """A new index answers the owner's golden queries worse than the one being served."""


class Unavailable(MagpieError):  # noqa: N818
    """The answer needs something that is not there yet or not there now."""

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
    """Other pictures are being decoded for longer than anybody should wait."""

    retry_after_s = 1


class DatabaseBusy(Unavailable):
    """Another process has been writing the database for longer than anybody should wait; nothing was written."""

    retry_after_s = 2


class DatabaseUnreachable(Unavailable):
    """The database's server does not answer, or has ended the connection: what was being written may or may not be."""

    retry_after_s = 2


class NotEnoughDisk(Unavailable):
    """The disk is too full for what was to be written."""


class HomeReadOnly(Unavailable):
    """The home cannot be written, so that only reading goes on."""


class HomeMoved(Unavailable):
    """The home is not where it was opened any more, so that nothing that is written would be found."""


class DiskFault(Unavailable):
    """The disk neither reads nor writes as it should."""


def first_line(error: Exception) -> str:
    """The type of an error and the first line of its message, at most 200 characters of it."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"
