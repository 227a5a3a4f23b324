"""Inputs that libFuzzer steers towards lines of code not yet reached, against everything that reads bytes of strangers.

    pip install atheris        # into an environment of its own; it is none of Magpie's dependencies
    python -m benchmarks.fuzz_coverage pictures|feeds|lines|heads CORPUS [-max_total_time=240] […]

CORPUS is a folder, to which examples and then every input that reached new code are added, so that the next run goes
on from there; what follows are options of libFuzzer. An error that is not one of Magpie's own, or an import that loses
a row without a word, ends the run with status 77 and leaves the input in a file `crash-…`. Python's own lines steer it,
the decoders' C code does not: that has been fuzzed by their authors.
"""

import io
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["data", "web", "PIL"]):
    from PIL import Image

    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.data.errors import MagpieError
    from magpie.data.events.ubi_ndjson import parse_line
    from magpie.data.feeds.import_feed import import_feed
    from magpie.data.pictures.decode import FORMATS, open_picture
    from magpie.data.settings import Settings
    from magpie.web.server.http_server import adjustments
    from magpie.web.server.request_head import Request

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
MAX_PIXELS = 100_000


def try_picture(data: bytes) -> None:
    open_picture(data, MAX_PIXELS, (64, 64)).close()


def try_line(data: bytes) -> None:
    parse_line(data)


def try_head(data: bytes) -> None:
    Request(adjustments(1_000_000, "localhost")).received(data)


def make_try_feed() -> Callable[[bytes], None]:
    """Imports the bytes as a feed whose kind the first one says, always into the same catalogue."""
    folder = Path(tempfile.mkdtemp())
    settings = Settings(home=folder / "home")
    catalogue = Catalogue(open_database(settings), settings)

    def try_feed(data: bytes) -> None:
        path = folder / f"feed{SUFFIXES[data[0] % len(SUFFIXES) if data else 0]}"
        path.write_bytes(data[1:])
        report = import_feed(catalogue, path)
        counted = report.inserted + report.updated + report.unchanged + report.rejected
        if report.read != counted:
            raise AssertionError(f"{report.read} rows read, {counted} accounted for")

    return try_feed


def pictures() -> list[bytes]:
    """A small picture of every format and some of its modes."""
    found = []
    for kind in FORMATS:
        for mode in ("RGB", "L", "P", "RGBA", "CMYK", "I;16"):
            out = io.BytesIO()
            try:
                Image.effect_noise((24, 16), 80).convert(mode).save(out, kind)
            except (OSError, ValueError):  # a mode that the format has not
                continue
            found.append(out.getvalue())
    return found


def feeds() -> list[bytes]:
    """The same two items in every kind of feed."""
    import pyarrow
    from pyarrow import parquet

    rows = [{"id": "a", "title": "Red ball", "price": 1.5, "colour": "Red"}, {"id": "b", "title": "Box", "price": None}]
    table = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    texts = ["id,title,price,colour\na,Red ball,1.5,Red\nb,Box,,\n", 'id\ttitle\tprice\na\t"Red\nball"\t1,5\n']
    texts.append("\n".join(json.dumps(row) for row in rows))
    return [bytes([place]) + text.encode() for place, text in enumerate(texts)] + [b"\3" + table.getvalue()]


def lines() -> list[bytes]:
    """A query and an event."""
    query = {"query_id": "q", "user_query": "x", "timestamp": "2026-11-23T10:00:00Z", "query_response_hit_ids": ["a"]}
    query["query_response_hits"] = [{"object_id": "a", "ordinal": 1, "features": {"x": 1}}]
    event = {"action_name": "click", "timestamp": 1_790_000_000_000, "user_agent": "x"}
    event["event_attributes"] = {"object": {"object_id": "a"}, "position": {"ordinal": 1}}
    return [json.dumps(one).encode() for one in (query, event)]


def heads() -> list[bytes]:
    """Heads with a length, in chunks, and that wait for a go-ahead."""
    return [
        b"POST /api/search HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
        b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]


def main() -> None:
    name, corpus, *options = sys.argv[1:]
    tries = {"pictures": try_picture, "feeds": make_try_feed(), "lines": try_line, "heads": try_head}
    examples = {"pictures": pictures, "feeds": feeds, "lines": lines, "heads": heads}
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for place, example in enumerate(examples[name]()):
        (folder / f"example-{place}").write_bytes(example)
    warnings.simplefilter("ignore")

    def attempt(data: bytes) -> None:
        try:
            tries[name](data)
        except MagpieError:
            return

    atheris.Setup([sys.argv[0], str(folder), "-max_len=20000", "-timeout=20", *options], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
