"""Opens what the owner names as a feed, the first step of the write path: a file, an archive, an address, a database.

What is packed is unpacked as it is read, and refused where it grows beyond what any feed does.
"""

import gzip
import io
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

from magpie.data.errors import BadFeed, NotFetched
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.zip_archive import open_archive

HEAD_BYTES = 1 << 20  # what is looked at to tell formats, encodings and headers
MOST_GROWTH, ALWAYS_ALLOWED = 200, 100_000_000  # times the packed size; DEFLATE packs tables into a tenth
MAX_FETCHED_BYTES = 20_000_000_000
DATABASE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
FEED_SUFFIXES: tuple[str, ...] = (
    ".csv",
    ".tsv",
    ".tab",
    ".jsonl",
    ".ndjson",
    ".json",
    ".xml",
    ".rss",
    ".atom",
    ".xlsx",
    ".xlsm",
)
FEED_SUFFIXES += (".ods", ".parquet", ".yaml", ".yml", ".txt")
_FOLDER_FEEDS = tuple(suffix for suffix in FEED_SUFFIXES if suffix not in (".json", ".txt"))
_PACKED = (".gz", ".zst", ".zstd")


@dataclass(frozen=True)
class OpenFeed:
    """A feed ready to be read: the bytes, the name that messages give, the format's suffix, where its pictures lie."""

    name: str
    suffix: str
    stream: io.BufferedReader
    folder: Path
    is_seekable: bool
    stack: ExitStack  # closes what is opened for the feed

    def head(self) -> bytes:
        """The first bytes, at most HEAD_BYTES of them; they are read again afterwards."""
        return self.stream.peek(HEAD_BYTES)

    def seekable(self) -> IO[bytes]:
        """The feed as a file in which a reader may go to and fro."""
        if self.is_seekable:
            return self.stream
        copy = cast(IO[bytes], self.stack.enter_context(TemporaryFile()))  # noqa: SIM115  (the stack closes it)
        shutil.copyfileobj(self.stream, copy, 1 << 20)
        copy.seek(0)
        return copy


def is_remote(source: str) -> bool:
    """Whether the source is an address that is fetched, such as https:// or s3://, and no database."""
    scheme = source.partition("://")[0]
    return "://" in source and scheme.isalnum() and scheme.casefold() not in _DATABASES


_DATABASES = {"sqlite", "postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql", "duckdb"}


def is_database(source: str) -> bool:
    """Whether the source is an SQLAlchemy URL, or a SQLite file."""
    scheme = source.partition("://")[0].partition("+")[0]
    return ("://" in source and scheme.casefold() in _DATABASES) or source.casefold().endswith(DATABASE_SUFFIXES)


def is_file(source: str) -> bool:
    """Whether the source names a file or a folder, there or not."""
    return source != "-" and not is_remote(source) and "://" not in source


@contextmanager
def open_source(source: str, home: Path, position: FeedPosition) -> Iterator[OpenFeed]:
    """The feed that `source` names: `-` for standard input, an address, or a file, packed or not. Raises BadFeed."""
    with ExitStack() as stack:
        if source == "-":
            raw, name, suffix, size = cast(BinaryIO, sys.stdin.buffer), "standard input", "", 0
            folder = Path.cwd()
        elif is_remote(source):
            raw, suffix = _fetched(source, stack)
            name, size, folder = shown(source), raw.seek(0, os.SEEK_END), Path.cwd()
            raw.seek(0)
        else:
            path = Path(source)
            if not path.exists():
                raise BadFeed(f"{source}: no such file or folder")
            if path.is_dir():
                path = _only_feed(path)
            raw = stack.enter_context(_opened(path))
            name, suffix, size, folder = str(path), _suffix(path.name), path.stat().st_size, path.parent
        position.follow(size, raw.tell if size else lambda: 0)
        yield _unpack(OpenFeed(name, suffix, _buffered(raw), folder, bool(size), stack), raw, home, stack)


def feed_in_folder(folder: Path) -> Path | None:
    """The one table or list that lies in the folder, which is then the feed; None where there is none, or several."""
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and _suffix(path.name) in _FOLDER_FEEDS
    ]
    return found[0] if len(found) == 1 else None


def shown(source: str) -> str:
    """The source without the password that it may hold."""
    if "@" not in source or "://" not in source:
        return source
    scheme, _, rest = source.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _only_feed(folder: Path) -> Path:
    path = feed_in_folder(folder)
    if path is None:
        raise BadFeed(f"{folder}: holds no feed; name a file")
    return path


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise BadFeed(f"{path}: cannot be read ({error.strerror or error})") from error


def _suffix(name: str) -> str:
    """The format's suffix, that of packing left out: ".csv" of "feed.csv.gz"."""
    path = Path(name.lower())
    return Path(path.stem).suffix if path.suffix in _PACKED else path.suffix


def _unpack(feed: OpenFeed, raw: BinaryIO, home: Path, stack: ExitStack) -> OpenFeed:
    """The feed inside archives and packings, of which at most three may be nested."""
    for _ in range(3):
        head = feed.head()
        if head.startswith(b"\x1f\x8b"):
            packed: Any = gzip.GzipFile(fileobj=feed.stream)
        elif head.startswith(b"\x28\xb5\x2f\xfd"):
            packed = _zstandard(feed)
        elif head.startswith(b"PK\x03\x04"):
            inner = open_archive(feed.seekable(), feed.name, home, FEED_SUFFIXES, stack)
            if inner is None:  # a workbook
                return feed
            member, member_name, pictures, size = inner
            bounded = _Bounded(member, partial(int, size), feed.name)
            name = f"{feed.name}: {member_name}"
            feed = OpenFeed(name, _suffix(member_name), _buffered(bounded), pictures or feed.folder, False, stack)
            continue
        else:
            return feed
        bounded = _Bounded(packed, lambda: raw.tell() if raw.seekable() else 0, feed.name)
        feed = OpenFeed(feed.name, feed.suffix, _buffered(bounded), feed.folder, False, stack)
    raise BadFeed(f"{feed.name}: is packed more than three times; unpack it")


def _zstandard(feed: OpenFeed) -> Any:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(feed.stream, read_across_frames=True)


class _Bounded(io.RawIOBase):
    """Unpacked bytes, refused beyond what the packed ones can honestly hold; what is damaged is a BadFeed."""

    def __init__(self, inner: Any, packed_bytes: Callable[[], int], name: str) -> None:
        self._inner, self._packed_bytes, self._name = inner, packed_bytes, name
        self._done = 0

    def readable(self) -> bool:
        """True: it is read from."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The number of bytes put into the buffer. Raises BadFeed."""
        try:
            content = self._inner.read(len(buffer))
        except (OSError, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
            raise BadFeed(f"{self._name}: is cut off or damaged ({error}); fetch or pack it again") from error
        except Exception as error:
            if type(error).__name__ not in ("ZstdError", "BadZipFile"):
                raise
            raise BadFeed(f"{self._name}: is cut off or damaged ({error}); fetch or pack it again") from error
        buffer[: len(content)] = content
        self._done += len(content)
        if self._done > ALWAYS_ALLOWED and self._done > MOST_GROWTH * max(1, self._packed_bytes()):
            raise BadFeed(f"{self._name}: unpacks to more than {MOST_GROWTH} times its size, which no feed does")
        return len(content)


def _buffered(raw: Any) -> io.BufferedReader:
    return io.BufferedReader(_Whole(raw), HEAD_BYTES)


class _Whole(io.RawIOBase):
    """Fills a whole buffer where the inner stream gives less at once, so that `peek` sees the whole head."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def readable(self) -> bool:
        """True: it is read from."""
        return True

    def seekable(self) -> bool:
        """Whether the inner stream can be sought."""
        return bool(self._inner.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new position."""
        return int(self._inner.seek(offset, whence))

    def tell(self) -> int:
        """The position in the inner stream."""
        return int(self._inner.tell())

    def readinto(self, buffer: Any) -> int:
        """The number of bytes put into the buffer; less than its size only at the end."""
        done = 0
        while done < len(buffer):
            content = self._inner.read(len(buffer) - done)
            if not content:
                break
            buffer[done : done + len(content)] = content
            done += len(content)
        return done


def _fetched(source: str, stack: ExitStack) -> tuple[BinaryIO, str]:
    """(file, suffix) of what lies at an address."""
    file = stack.enter_context(TemporaryFile())  # noqa: SIM115  (the stack closes it)
    path = urlsplit(source).path
    if source.casefold().startswith(("http://", "https://")):
        from magpie.data.feeds.fetch_feed import fetch_feed  # brings urllib3

        try:
            kind = fetch_feed(source, cast(BinaryIO, file), MAX_FETCHED_BYTES)
        except NotFetched as error:
            raise BadFeed(f"{shown(source)}: {error}") from error
        file.seek(0)
        return cast(BinaryIO, file), _suffix(path) or _KINDS.get(kind.partition(";")[0].strip().casefold(), "")
    _copy_from_store(source, cast(BinaryIO, file))
    file.seek(0)
    return cast(BinaryIO, file), _suffix(path)


_KINDS = {"text/csv": ".csv", "text/tab-separated-values": ".tsv", "application/json": ".json", "text/xml": ".xml",
          "application/xml": ".xml", "application/rss+xml": ".xml", "application/atom+xml": ".xml",
          "application/x-ndjson": ".jsonl", "application/ld+json": ".json"}  # fmt: skip


def _copy_from_store(source: str, file: BinaryIO) -> None:
    """Copies an object of a store such as s3:// through fsspec."""
    import fsspec

    extras = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
    scheme = source.partition("://")[0]
    if scheme not in extras:
        raise BadFeed(f"{shown(source)}: {scheme}:// is not read; give a file, https://, s3://, gs:// or az://")
    done = 0
    try:
        with fsspec.open(source, "rb") as stream:
            while content := stream.read(1 << 20):
                done += file.write(content)
                if done > MAX_FETCHED_BYTES:
                    raise BadFeed(f"{source}: is larger than {MAX_FETCHED_BYTES:,} bytes")
    except ImportError as error:
        raise BadFeed(f"{source}: needs {extras[scheme]}; pip install 'magpie-search[stores]'") from error
    except BadFeed:
        raise
    except Exception as error:  # the stores' libraries have errors of their own
        raise BadFeed(f"{source}: cannot be read ({type(error).__name__}: {str(error)[:200]})") from error
