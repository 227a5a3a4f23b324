"""Reads a feed of any format as drafts and rejections, the first step of the write path."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed
from magpie.data.feeds.csv_feed import read_cells
from magpie.data.feeds.folder_feed import read_folder
from magpie.data.feeds.jsonl_parquet_feed import read_json_lines, read_parquet
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.row_to_draft import Reject

__all__ = ["FORMATS", "FeedPosition", "Reject", "read_feed"]

FORMATS = {
    ".csv": read_cells,
    ".tsv": read_cells,
    ".tab": read_cells,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
}


def read_feed(
    source: Path, mapping: Mapping[str, str] | None = None, position: FeedPosition | None = None
) -> Iterator[ItemDraft | Reject]:
    """Every row of the feed, in order, as a draft or as a rejection with its line and reason.

    `mapping` is {field or attribute: column}, as in --map; the drafts' ids are distinct. Raises BadFeed, on the first
    step, for a feed that cannot be read at all: missing, empty, of an unknown format, or without an id column.
    """
    mapping, position = mapping or {}, position or FeedPosition()
    if source.is_dir():
        if mapping:
            raise BadFeed(f"{source}: a folder of pictures has no columns; leave out --map")
        return read_folder(source, position)
    if not source.exists():
        raise BadFeed(f"{source}: no such file or folder")
    reader = FORMATS.get(source.suffix.lower())
    if reader is None:
        raise BadFeed(f"{source}: its format is unknown; give one of {', '.join(FORMATS)} or a folder of pictures")
    return _read_file(source, reader(source, mapping, position))


def _read_file(source: Path, rows: Iterator[ItemDraft | Reject]) -> Iterator[ItemDraft | Reject]:
    try:
        yield from rows
    except OSError as error:
        raise BadFeed(f"{source}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise BadFeed(f"{source}: is not text ({error.reason}); save it as UTF-8") from error
