"""Imports a feed into the catalogue, for `catalog import`; rejected rows are counted and kept in a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft, PictureFault, UpsertCounts, UpsertWatch
from magpie.data.errors import BadFeed
from magpie.data.feeds.read_feed import FeedOptions, FeedPosition, OpenedFeed, opened_feed
from magpie.data.feeds.row_to_draft import LeftOut, Reject, Taken
from magpie.data.home.rejects_file import RejectsFile, rejects_file
from magpie.data.pictures.local_files import is_address

SYNC_MAX = 0.3  # the share of the catalogue that a feed may take out unasked (docs/feeds.md)
BATCH_IDS = 500


@dataclass(frozen=True)
class Sync:
    """Whether what the feed does not name is taken out of the catalogue, and the largest share that may go."""

    is_on: bool = False
    most: float = SYNC_MAX


_AS_IT_COMES, _KEEP = FeedOptions(), Sync()


@dataclass(frozen=True)
class ImportReport:
    """The numbers of rows by outcome: read == inserted + updated + unchanged + rejected + merged + left_out.

    `merged` are rows that are part of an item of another row, `left_out` those that the feed says are hidden, `removed`
    the items that it does not name any more (None where that was not asked). `notes` say how the feed was understood,
    `warnings` what is likely amiss, `picture_hosts` how many pictures lie at which host from which none is fetched.
    """

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejects_file: str | None = None
    images_missing: int = 0
    images_broken: int = 0
    merged: int = 0
    left_out: int = 0
    removed: int | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    picture_hosts: dict[str, int] = field(default_factory=dict)
    columns: list[dict[str, object]] = field(default_factory=list)
    is_dry_run: bool = False
    num_taken: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The report as `catalog import --json` prints it."""
        found = asdict(self)
        for name in ("is_dry_run", "num_taken"):
            found.pop(name)
        if self.removed is None:
            found.pop("removed")
        found.pop("columns")
        if self.is_dry_run:
            found["columns"] = {column["column"]: column["meaning"] for column in self.columns}
        return found


class _Tally:
    """What came of the rows so far, and where pictures lie that are not fetched."""

    def __init__(self) -> None:
        self.read = self.rejected = self.merged = self.left_out = self.taken = self.with_picture = 0
        self.named: set[int] = set()  # hashes of the ids that the feed names
        self.hosts: dict[str, int] = {}

    def note_host(self, fault: PictureFault) -> None:
        """Counts a picture that lies at a host of which none is fetched."""
        if is_address(fault.path) and "MAGPIE_PICTURE_HOSTS" in fault.reason:
            host = urlsplit(fault.path).netloc.rpartition("@")[2]
            self.hosts[host] = self.hosts.get(host, 0) + 1


def import_feed(
    catalogue: Catalogue,
    source: Path | str,
    images: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int, int], None] = lambda rows, done, total: None,
    options: FeedOptions = _AS_IT_COMES,
    sync: Sync = _KEEP,
    is_dry_run: bool = False,
) -> ImportReport:
    """The report of importing `source`; rejections and notes are written to its `rejects_file`.

    Picture paths are relative to `images`, by default to the feed's folder. `on_progress` gets the rows stored, and how
    many there are (done, total). A repeated import completes an interrupted one. With `is_dry_run` nothing is written.
    Raises BadFeed where the feed as a whole cannot be read, and where `sync` would take out too much, and then changes
    nothing; single bad rows are rejected.
    """
    if images is not None and not images.is_dir():
        raise BadFeed(f"{images}: no such folder of pictures; --images names the folder that picture paths start from")
    if mapping:
        options = replace(options, mapping=mapping)
    position = FeedPosition()
    settings = catalogue.settings
    with opened_feed(str(source), settings.home, images, options, position) as feed:
        if is_dry_run:
            return _described(feed)
        stale = _stale_ids(catalogue, feed, sync) if sync.is_on else []
        name = Path(urlsplit(str(source)).path if "://" in str(source) else str(source)).stem or "feed"
        tally, counts, total = _Tally(), UpsertCounts(), len(feed.table)

        def note(fault: PictureFault) -> None:
            tally.note_host(fault)
            rejects.add(fault.line, f"picture {fault.path}: {fault.reason}", item_id=fault.item_id, kept=True)

        with rejects_file(settings.rejects_dir, name) as rejects:
            drafts = _taken(feed, tally, rejects)
            for batch in catalogue.upserting(drafts, feed.root, UpsertWatch(note)):
                counts += batch
                on_progress(tally.read, tally.read, total)
        removed = sum(
            catalogue.delete_many(stale[start : start + BATCH_IDS]) for start in range(0, len(stale), BATCH_IDS)
        )
        return _report(feed, tally, counts, rejects, removed if sync.is_on else None)


def _taken(feed: OpenedFeed, tally: _Tally, rejects: RejectsFile | None) -> Iterator[ItemDraft]:
    """The drafts of the feed; what becomes of all rows is counted, and rejections and notes are written."""
    for outcome in feed.outcomes():
        if isinstance(outcome, Taken):
            draft = outcome.draft
            tally.read += 1 + outcome.num_merged
            tally.merged += outcome.num_merged
            tally.taken += 1
            tally.with_picture += bool(draft.pictures)
            tally.named.add(hash(draft.item_id))
            if rejects is not None:
                for note in draft.notes:
                    rejects.add(draft.line, note, item_id=draft.item_id, kept=True)
            yield draft
        elif isinstance(outcome, Reject):
            tally.read += 1
            tally.rejected += 1
            if outcome.item_id:
                tally.named.add(hash(outcome.item_id))
            if rejects is not None:
                rejects.add(outcome.line, outcome.reason, row=outcome.raw)
        elif isinstance(outcome, LeftOut):
            tally.read += outcome.num_rows
            tally.left_out += outcome.num_rows


def _stale_ids(catalogue: Catalogue, feed: OpenedFeed, sync: Sync) -> list[str]:
    """The ids of items that the feed does not name. Raises BadFeed where that are too many, or it names none."""
    tally = _Tally()
    for _ in _taken(feed, tally, None):
        pass
    if not tally.taken:
        raise BadFeed("no row of the feed can be taken, so that nothing was changed")
    stale, total = [], 0
    for item_id in catalogue.item_ids():
        total += 1
        if hash(item_id) not in tally.named:
            stale.append(item_id)
    if len(stale) > sync.most * total:
        raise BadFeed(
            f"the feed lacks {len(stale):,} of the {total:,} items, more than {sync.most:.0%}, so that nothing was "
            f"changed; give --sync-max {min(1.0, len(stale) / total + 0.005):.2f} if they are to go"
        )
    return stale


def _described(feed: OpenedFeed) -> ImportReport:
    """The report of a feed of which nothing is stored."""
    tally = _Tally()
    for _ in _taken(feed, tally, None):
        pass
    report = _report(feed, tally, UpsertCounts(), None, None)
    return replace(report, is_dry_run=True)


def _report(
    feed: OpenedFeed, tally: _Tally, counts: UpsertCounts, rejects: RejectsFile | None, removed: int | None
) -> ImportReport:
    warnings = list(feed.plan.warnings)
    if tally.taken and not tally.with_picture and feed.plan.roles.get("image"):
        warnings.append("no item has a picture: the columns for pictures are empty")
    return ImportReport(
        read=tally.read,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged,
        rejected=tally.rejected,
        rejects_file=str(rejects.path) if rejects and rejects.path else None,
        images_missing=counts.images_missing,
        images_broken=counts.images_broken,
        merged=tally.merged,
        left_out=tally.left_out,
        removed=removed,
        notes=list(feed.plan.notes),
        warnings=warnings,
        picture_hosts=dict(sorted(tally.hosts.items(), key=lambda pair: -pair[1])),
        columns=feed.plan.described(),
        num_taken=tally.taken,
    )
