"""Imports a feed into the catalogue, for `catalog import`; rejected rows are counted and kept in a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft, PictureFault, UpsertCounts, UpsertWatch
from magpie.data.errors import BadFeed
from magpie.data.feeds.read_feed import FeedPosition, Reject, read_feed
from magpie.data.home.rejects_file import RejectsFile, rejects_file


@dataclass(frozen=True)
class ImportReport:
    """The numbers of rows by outcome: read == inserted + updated + unchanged + rejected."""

    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejects_file: str | None
    images_missing: int
    images_broken: int

    def as_dict(self) -> dict[str, Any]:
        """The report as `catalog import --json` prints it."""
        return asdict(self)


@dataclass
class _Tally:
    """The numbers of rows read and rejected so far."""

    read: int = 0
    rejected: int = 0


def import_feed(
    catalogue: Catalogue,
    source: Path,
    images: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int, int], None] = lambda rows, done, total: None,
) -> ImportReport:
    """The report of importing `source`; rejections and notes are written to its `rejects_file`.

    Picture paths are relative to `images`, by default to the feed's folder. `on_progress` gets the rows read, and how
    much of the feed (done, total, in bytes or files) is stored. A repeated import completes an interrupted one.
    Raises BadFeed where the feed as a whole cannot be read; single bad rows are rejected.
    """
    if images is not None and not images.is_dir():
        raise BadFeed(f"{images}: no such folder of pictures; --images names the folder that picture paths start from")
    root = images or (source if source.is_dir() else source.parent)
    tally, counts, position = _Tally(), UpsertCounts(), FeedPosition()
    rows = read_feed(source, mapping, position)
    with rejects_file(catalogue.settings.rejects_dir, source.stem or source.name) as rejects:
        drafts = _taken(rows, tally, rejects)
        for batch in catalogue.upserting(drafts, root, UpsertWatch(lambda fault: _note(fault, rejects))):
            counts += batch
            on_progress(tally.read, position.done, position.total)
    return ImportReport(
        read=tally.read,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged,
        rejected=tally.rejected,
        rejects_file=str(rejects.path) if rejects.path else None,
        images_missing=counts.images_missing,
        images_broken=counts.images_broken,
    )


def _taken(rows: Iterator[ItemDraft | Reject], tally: _Tally, rejects: RejectsFile) -> Iterator[ItemDraft]:
    for row in rows:
        tally.read += 1
        if isinstance(row, Reject):
            tally.rejected += 1
            rejects.add(row.line, row.reason, row=row.raw)
        else:
            for note in row.notes:
                rejects.add(row.line, note, item_id=row.item_id, kept=True)
            yield row


def _note(fault: PictureFault, rejects: RejectsFile) -> None:
    rejects.add(fault.line, f"picture {fault.path}: {fault.reason}", item_id=fault.item_id, kept=True)
