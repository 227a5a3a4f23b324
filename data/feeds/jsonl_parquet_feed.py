"""Reads JSONL and Parquet feeds as drafts: rows of typed values, nested or not."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed, BadItem
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.row_to_draft import DraftMaker, RecordColumns, Reject, flatten, reject

MAX_LINE_BYTES = 4_000_000
SAMPLE_ROWS = 100  # rows whose fields together are the columns of the feed
BATCH_ROWS = 1_000


def read_json_lines(path: Path, mapping: Mapping[str, str], position: FeedPosition) -> Iterator[ItemDraft | Reject]:
    """The drafts and rejections of a .jsonl file, in order. Raises BadFeed where no line holds an object."""
    with path.open("rb") as stream:
        position.follow(path.stat().st_size, stream.tell)
        yield from _drafts(_parse_lines(stream), mapping, path)


def read_parquet(path: Path, mapping: Mapping[str, str], position: FeedPosition) -> Iterator[ItemDraft | Reject]:
    """The drafts and rejections of a .parquet file; their lines are row numbers. Raises BadFeed for a broken file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            done = 0
            position.follow(file.metadata.num_rows, lambda: done)
            if not file.metadata.num_rows:
                raise BadFeed(f"{path}: has no rows; columns: {', '.join(file.schema_arrow.names)}")

            def rows() -> Iterator[tuple[int, object, object]]:
                nonlocal done
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    for row in batch.to_pylist():
                        done += 1
                        yield done, row, row

            yield from _drafts(rows(), mapping, path)
    except (pa.ArrowException, OSError) as error:
        raise BadFeed(f"{path}: cannot be read as Parquet ({error}); write it anew") from error


def _drafts(
    rows: Iterable[tuple[int, object, object]], mapping: Mapping[str, str], path: Path
) -> Iterator[ItemDraft | Reject]:
    """A draft or a rejection for each of `rows`: (line, record or fault, raw row)."""
    waiting = iter(rows)
    sample = list(islice(waiting, SAMPLE_ROWS))
    flat = [flatten(record) for _, record, _ in sample if isinstance(record, dict)]
    if not flat:
        raise BadFeed(f"{path}: has no row that is an object with fields, 'id' among them")
    columns = RecordColumns(list(dict.fromkeys(chain.from_iterable(flat))), mapping, str(path))
    maker = DraftMaker()
    for line, record, raw in chain(sample, waiting):
        try:
            if not isinstance(record, dict):
                raise BadItem(str(record))
            record = flatten(record)
            yield maker.from_record(record, columns.of(record), line)
        except (BadItem, BadFeed) as error:
            yield reject(line, str(error), raw)


def _parse_lines(stream: IO[bytes]) -> Iterator[tuple[int, dict[str, Any] | str, object]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, f"more than {MAX_LINE_BYTES:,} bytes", line[:2_000].decode("utf-8", "replace")
        elif not line.isspace():
            yield number, _parse(line), line[:2_000].decode("utf-8", "backslashreplace").rstrip("\r\n")


def _parse(line: bytes) -> dict[str, Any] | str:
    """The JSON object of the line, or its fault."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "is not UTF-8"
    except RecursionError:
        return "is nested too deeply"
    except ValueError as error:
        return f"is not JSON ({error})"
    return value if isinstance(value, dict) else "is no JSON object"
