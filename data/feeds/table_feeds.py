"""Reads Parquet, databases and YAML into the table: rows of typed values."""

from collections.abc import Iterator, Sequence
from typing import Any

from magpie.data.errors import BadFeed
from magpie.data.feeds.json_feed import longest_list, put_objects
from magpie.data.feeds.open_source import OpenFeed, shown
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.table import Table

BATCH_ROWS = 1_000
MAX_YAML_BYTES = 100_000_000
_LOCKED_S = 10.0


def read_parquet(feed: OpenFeed, table: Table, languages: Sequence[str]) -> None:
    """Puts the rows of a .parquet file into the table; their lines are row numbers. Raises BadFeed."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(feed.seekable()) as file:
            if not file.metadata.num_rows:
                raise BadFeed(f"{feed.name}: has no rows; columns: {', '.join(file.schema_arrow.names)}")

            def rows() -> Iterator[tuple[int, object, object]]:
                done = 0
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    for row in batch.to_pylist():
                        done += 1
                        yield done, row, ""

            put_objects(rows(), table, languages)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise BadFeed(f"{feed.name}: cannot be read as Parquet ({error}); write it anew") from error


def read_yaml(feed: OpenFeed, table: Table, languages: Sequence[str]) -> None:
    """Puts the objects of a YAML file, a list or several documents, into the table. Raises BadFeed."""
    import yaml

    content = feed.stream.read(MAX_YAML_BYTES + 1)
    if len(content) > MAX_YAML_BYTES:
        raise BadFeed(f"{feed.name}: is larger than {MAX_YAML_BYTES:,} bytes; give JSON lines or CSV instead")
    try:
        documents = [
            each
            for each in yaml.load_all(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            if each is not None
        ]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadFeed(f"{feed.name}: is not YAML ({' '.join(str(error).split())[:200]})") from error
    records: list[dict[str, Any]] = []
    for document in documents:
        found = longest_list(document)
        records += found if found or not isinstance(document, dict) else [document]
    if not records:
        raise BadFeed(f"{feed.name}: holds no object with fields")
    put_objects(((n, record, "") for n, record in enumerate(records, 1)), table, languages)


def read_database(source: str, table_name: str | None, query: str | None, table: Table, position: FeedPosition) -> None:
    """Puts the rows of a database's table, or of a query, into the table. Raises BadFeed."""
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    address = source if "://" in source else f"sqlite:///{source}"
    try:
        url = make_url(address)
        asked = url.query.get("table")
        table_name = table_name or (asked if isinstance(asked, str) else None)
        url = url.difference_update_query(["table"])
        if url.get_backend_name() == "sqlite":
            url = _read_only(url, source)
        engine = create_engine(
            url, connect_args={"timeout": _LOCKED_S, "uri": True} if url.get_backend_name() == "sqlite" else {}
        )
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise BadFeed(f"{shown(source)}: is no database that can be read here ({error})") from error
    try:
        with engine.connect() as connection:
            if query is None:
                names = inspect(connection).get_table_names() + inspect(connection).get_view_names()
                if table_name is None and len(names) == 1:
                    table_name = names[0]
                if table_name not in names:
                    listed = ", ".join(names[:20]) or "none"
                    raise BadFeed(
                        f"{shown(source)}: name its table with --table NAME, or give --query; there are {listed}"
                    )
                query = f"SELECT * FROM {engine.dialect.identifier_preparer.quote(table_name)}"
            elif not query.lstrip().casefold().startswith(("select", "with")):
                raise BadFeed("--query: only SELECT is run")
            done = 0
            position.follow(0, lambda: done)
            result = connection.execution_options(stream_results=True, yield_per=BATCH_ROWS).execute(text(query))
            names = list(result.keys())

            def rows() -> Iterator[tuple[int, object, object]]:
                nonlocal done
                for row in result:
                    done += 1
                    yield done, dict(zip(names, row, strict=True)), ""

            put_objects(rows(), table, ())
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0][:200]
        raise BadFeed(f"{shown(source)}: {said}") from error
    finally:
        engine.dispose()


def _read_only(url: Any, source: str) -> Any:
    """The URL of a SQLite file that is opened for reading, and not made where it is missing."""
    from pathlib import Path
    from urllib.parse import quote

    path = Path(url.database or "")
    if not url.database or not path.is_file():
        raise BadFeed(f"{shown(source)}: no such file")
    return url.set(database=f"file:{quote(str(path.absolute()))}", query={"mode": "ro", "uri": "true"})
