"""Reads a feed of any format: its source becomes a table, the table's columns a plan, its rows drafts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed
from magpie.data.feeds.column_plan import Plan, Sample, make_plan
from magpie.data.feeds.csv_feed import read_cells
from magpie.data.feeds.folder_feed import holds_pictures, put_pictures
from magpie.data.feeds.group_rows import group_rows
from magpie.data.feeds.json_feed import is_json_folder, read_json, read_json_folder
from magpie.data.feeds.open_source import (
    FEED_SUFFIXES,
    OpenFeed,
    feed_in_folder,
    is_database,
    is_remote,
    open_source,
)
from magpie.data.feeds.picture_paths import find_folder, num_there, split_pictures
from magpie.data.feeds.profiles import recognise
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.row_parts import PartReader
from magpie.data.feeds.row_to_draft import DraftMaker, Outcome, Reject, Taken
from magpie.data.feeds.table import Table
from magpie.data.feeds.table_feeds import read_database, read_parquet, read_yaml

__all__ = ["FeedOptions", "FeedPosition", "OpenedFeed", "Reject", "opened_feed", "read_feed"]

SAMPLE_ROWS = 3_000  # from all over the feed


@dataclass(frozen=True)
class FeedOptions:
    """How a feed is read; nothing needs to be given for a feed whose maker or whose columns are known."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    profile: str = "auto"  # or "none", or a maker's
    languages: Sequence[str] = ()
    picture_pattern: str = ""
    table: str | None = None
    query: str | None = None
    keeps_variants: bool = False


@dataclass(frozen=True)
class OpenedFeed:
    """A feed that was read and understood: its plan, its rows, the folder that picture paths start from."""

    table: Table
    plan: Plan
    root: Path
    folder: str  # below the root
    keeps_variants: bool = False

    def outcomes(self) -> Iterator[Outcome]:
        """What becomes of every row, in order of the first row of each item."""
        reader = PartReader(self.plan, self.root, self.folder)
        maker = DraftMaker(self.plan, reader, self.keeps_variants)
        for group in group_rows(self.table, self.plan, reader):
            yield from maker.outcomes(group)


@contextmanager
def opened_feed(
    source: str,
    home: Path,
    images: Path | None = None,
    options: FeedOptions = FeedOptions(),
    position: FeedPosition | None = None,
) -> Iterator[OpenedFeed]:
    """The feed, read into a temporary file in `home`. Raises BadFeed for one that cannot be read at all."""
    table = Table(home)
    try:
        root = _fill(table, source, home, options, position or FeedPosition())
        yield _understand(table, source, images or root, options)
    finally:
        table.close()


def read_feed(
    source: Path, mapping: Mapping[str, str] | None = None, position: FeedPosition | None = None
) -> Iterator[ItemDraft | Reject]:
    """Every item of the feed as a draft, and every row that cannot be used as a rejection with its line and reason."""
    with opened_feed(str(source), source.absolute().parent, None, FeedOptions(mapping or {}), position) as feed:
        for outcome in feed.outcomes():
            if isinstance(outcome, Taken):
                yield outcome.draft
            elif isinstance(outcome, Reject):
                yield outcome


def _fill(table: Table, source: str, home: Path, options: FeedOptions, position: FeedPosition) -> Path:
    """Reads the source into the table; the folder that picture paths start from."""
    path = Path(source)
    if is_database(source):
        read_database(source, options.table, options.query, table, position)
        return path.absolute().parent if "://" not in source else Path.cwd()
    if options.table or options.query:
        raise BadFeed(f"{source}: --table and --query are for databases")
    if source != "-" and not is_remote(source) and path.is_dir() and feed_in_folder(path) is None:
        if is_json_folder(path) and not holds_pictures(path):
            read_json_folder(path, table, position, options.languages)
        elif options.mapping:
            raise BadFeed(f"{source}: a folder of pictures has no columns; leave out --map")
        else:
            put_pictures(path, table, position)
        return path
    with open_source(source, home, position) as feed:
        try:
            _read(feed, table, options)
        except OSError as error:
            raise BadFeed(f"{feed.name}: cannot be read ({error.strerror or error})") from error
        return feed.folder


def _read(feed: OpenFeed, table: Table, options: FeedOptions) -> None:
    suffix, languages = feed.suffix, options.languages
    head = feed.head()
    start = head[:4_096].decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace").lstrip()
    if head.startswith(b"PAR1") or suffix == ".parquet":
        read_parquet(feed, table, languages)
    elif head.startswith(b"PK\x03\x04"):
        from magpie.data.feeds.spreadsheet_feed import read_workbook  # brings openpyxl and lxml

        read_workbook(feed, table)
    elif head.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadFeed(f"{feed.name}: is a workbook of Excel 2003 or older, or one with a password; save it as .xlsx")
    elif suffix in (".xlsx", ".xlsm", ".ods"):
        raise BadFeed(f"{feed.name}: is no workbook; save it anew as {suffix}")
    elif suffix in (".yaml", ".yml"):
        read_yaml(feed, table, languages)
    elif start.startswith("<"):
        from magpie.data.feeds.xml_feed import read_xml  # brings lxml

        read_xml(feed, table, languages)
    elif suffix in (".json", ".jsonl", ".ndjson") or (
        suffix not in (".csv", ".tsv", ".tab") and start[:1] in ("{", "[") and start
    ):
        read_json(feed, table, languages)
    elif suffix in (".xml", ".rss", ".atom"):
        raise BadFeed(f"{feed.name}: is no XML, which begins with <")
    elif suffix and suffix not in FEED_SUFFIXES and b"\0" in head[:1_000] and not start.isprintable():
        raise BadFeed(f"{feed.name}: its format is unknown; give one of {', '.join(FEED_SUFFIXES)}, packed or not")
    else:
        read_cells(feed, table)


def _understand(table: Table, source: str, root: Path, options: FeedOptions) -> OpenedFeed:
    sample = Sample(table.columns, _sampled(table))
    profile = recognise(table.columns, options.profile)
    folders: dict[str, bool] = {}
    plan = make_plan(sample, options.mapping, profile, source, partial(_is_picture_file, root, folders))
    plan.picture_pattern = options.picture_pattern
    if plan.picture_pattern:
        plan.warnings.clear()
    plan.notes[:0] = table.notes
    if table.num_dropped_columns:
        plan.notes.append(f"has more than {len(table.columns):,} columns; values beyond them are left out")
    if not plan.picture_pattern and not plan.roles.get("image"):
        _find_pattern(plan, sample, root)
    paths = [
        path for n in plan.roles.get("image", ()) for text in plan.samples[n][:50] for path in split_pictures(text)
    ]
    folder = find_folder(root, paths, plan.profile.picture_folders)
    if folder:
        plan.notes.append(f"pictures are looked for in {root / folder}")
    return OpenedFeed(table, plan, root, folder, options.keeps_variants)


def _find_pattern(plan: Plan, sample: Sample, root: Path) -> None:
    """Finds pictures whose files are named by the id, or by a column that is named like pictures."""
    if not root.is_dir():
        return
    named = [n for n, column in enumerate(plan.columns) if re.search("image|img|picture|photo", column, re.IGNORECASE)]
    for n in [*plan.roles.get("id", ())[:1], *named]:
        cells = [str(row[n]).strip() for row in sample.rows[:10] if n < len(row) and row[n] not in (None, "")]
        column = "id" if n in plan.roles.get("id", ()) else plan.columns[n]
        for width, ending in product(("", ":03", ":04"), (".jpg", ".png", ".jpeg", ".webp")):
            files = [f"{cell.zfill(int(width[1:])) if width else cell}{ending}" for cell in cells]
            folder = find_folder(root, files, ("images",))
            if files and 2 * num_there(root, folder, files) >= len(files):
                plan.picture_pattern = (
                    f"{folder}/{{{column}{width}}}{ending}" if folder else f"{{{column}{width}}}{ending}"
                )
                plan.notes.append(f"pictures are found as --picture-pattern {plan.picture_pattern!r}")
                plan.warnings.clear()
                return


def _sampled(table: Table) -> Sequence[Sequence[object]]:
    """Rows from all over the table, the first among them."""
    number = len(table)
    if number <= SAMPLE_ROWS:
        return [row.values for row in table.rows() if not row.fault]
    first = list(range(SAMPLE_ROWS // 3))
    step = (number - len(first)) / (SAMPLE_ROWS - len(first))
    spread = sorted({len(first) + int(n * step) for n in range(SAMPLE_ROWS - len(first))})
    return [row.values for row in table.rows([*first, *spread]) if not row.fault]


def _is_picture_file(root: Path, known: dict[str, bool], text: str) -> bool:
    """Whether a cell is the path of a file below the root that may be a picture."""
    found = known.get(text)
    if found is None:
        is_path = 0 < len(text) < 500 and "\n" not in text and "\0" not in text and ".." not in text and "." in text
        try:
            found = (
                is_path
                and (root / text.lstrip("/")).is_file()
                and (root / text.lstrip("/")).suffix.lower() not in FEED_SUFFIXES
            )
        except OSError:
            found = False
        if len(known) < 10_000:
            known[text] = found
    return found
